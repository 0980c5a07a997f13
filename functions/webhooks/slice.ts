import type { EdgeFunction } from '../../shared/edge/function.ts';

export const WEBHOOKS = {
  name: 'webhooks',
  paths: ['/webhooks/zitadel', '/webhooks/user-created', '/webhooks/user-updated', '/webhooks/user-deleted'],
  schedule: {
    'webhooks-apply': '* * * * *',
    'webhooks-reconcile': '*/5 * * * *',
    'revocations-remark': '*/10 * * * *',
    'webhooks-prune': '30 3 * * *',
  },
} as const satisfies EdgeFunction;
