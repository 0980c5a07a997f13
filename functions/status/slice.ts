import type { EdgeFunction } from '../../shared/edge/function.ts';

export const STATUS = {
  name: 'status',
  paths: ['/health', '/ready', '/metrics'],
} as const satisfies EdgeFunction;
