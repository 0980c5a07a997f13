import type { EdgeFunction } from '../../shared/edge/function.ts';

export const GATEWAY = {
  name: 'gateway',
  paths: ['/forward-auth', '/.well-known/sallyport/jwks.json'],
} as const satisfies EdgeFunction;
