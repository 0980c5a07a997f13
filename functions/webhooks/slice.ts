import type { EdgeFunction } from '../../shared/edge/function.ts';

export const WEBHOOKS = {
  name: 'webhooks',
  paths: ['/webhooks/zitadel', '/webhooks/user-created', '/webhooks/user-updated', '/webhooks/user-deleted'],
} as const satisfies EdgeFunction;
