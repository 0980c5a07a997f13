import { Hono, type Context } from 'hono';
import { toRefusal } from '../../shared/problem.ts';
import { receive, type Delivery, type ReceiveDeps } from './receive.ts';

const DELIVERIES = {
  '/webhooks/zitadel': 'event',
  '/webhooks/user-created': 'created',
  '/webhooks/user-updated': 'updated',
  '/webhooks/user-deleted': 'deleted',
} as const satisfies Record<string, Delivery>;

const STATUS = { accepted: 202, duplicate: 200, ignored: 200 } as const;

/** Events of the identity provider: verify, record once, apply, acknowledge. */
export function webhookRoutes(deps: ReceiveDeps): Hono {
  const app = new Hono();
  for (const [path, delivery] of Object.entries(DELIVERIES)) {
    app.post(path, (c) => answer(c, delivery, deps));
  }
  return app;
}

async function answer(c: Context, delivery: Delivery, deps: ReceiveDeps): Promise<Response> {
  try {
    const received = await receive(c.req.raw, delivery, deps);
    deps.count(received.status);
    // Also after a duplicate: whoever sends again may be waiting for an event that failed.
    if (received.status !== 'ignored') deps.nudge();
    return c.json(received, STATUS[received.status], { 'cache-control': 'no-store' });
  } catch (error) {
    const refusal = toRefusal(error);
    deps.count('refused');
    deps.log.warn('webhook refused', { delivery, code: refusal.code, reason: refusal.reason });
    throw refusal;
  }
}
