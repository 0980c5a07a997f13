import type { OwnRoute } from '../../shared/edge/frame.ts';
import { receive, type Delivery, type ReceiveDeps } from './receive.ts';

const DELIVERIES = {
  '/webhooks/zitadel': 'event',
  '/webhooks/user-created': 'created',
  '/webhooks/user-updated': 'updated',
  '/webhooks/user-deleted': 'deleted',
} as const satisfies Record<string, Delivery>;

const STATUS = { accepted: 202, set_aside: 202, duplicate: 200, ignored: 200 } as const;

/** Events of the identity provider: verify, record once, apply, acknowledge. */
export function webhookRoutes(deps: ReceiveDeps): OwnRoute[] {
  return Object.entries(DELIVERIES).map(([path, delivery]) => ({
    path,
    methods: ['POST'],
    // All deliveries come from one address, and none that is refused comes again.
    guarded: false,
    answer: (request) => answer(request, delivery, deps),
  }));
}

async function answer(request: Request, delivery: Delivery, deps: ReceiveDeps): Promise<Response> {
  try {
    const received = await receive(request, delivery, deps);
    deps.count(received.status);
    // Also after a duplicate: whoever sends again may be waiting for an event that failed.
    if (received.status !== 'ignored') deps.nudge();
    const headers = { 'cache-control': 'no-store' };
    return Response.json(received, { status: STATUS[received.status], headers });
  } catch (error) {
    deps.count('refused');
    throw error;
  }
}
