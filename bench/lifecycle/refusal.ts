import { createWebhooks } from '../../functions/webhooks/function.ts';
import { MAX_OWN_BODY_BYTES, readBody } from '../../shared/edge/body.ts';
import { sql } from '../../shared/ports/database.ts';
import { callerOf } from '../../shared/identity/subjects.ts';
import { envelope } from './envelope.ts';
import type { LifecycleGround } from './ground.ts';
import { signed } from './inbox.ts';

const POLICY = { name: 'bench', limit: 1_000_000, windowMs: 60_000 };
/** Far more than it takes: a bench that hangs says so. */
const MOST_MS = 60_000;

/** Milliseconds from the arrival of a suspension to the refusal of that user, of each of `count` users, one after the other. */
export async function refusals(
  { deps, database, issuer }: LifecycleGround,
  count: number,
): Promise<number[]> {
  const route = createWebhooks(deps, () => undefined).routes.find(({ path }) => path === '/webhooks/zitadel');
  if (route === undefined) throw new Error('the bench needs the route of deliveries');
  const refused = async (subject: string): Promise<boolean> =>
    (await deps.counters.take({ caller: callerOf(issuer, subject), policy: POLICY })).mark?.notBefore ===
    Infinity;
  const times: number[] = [];
  for (let number = 0; number < count; number++) {
    const subject = deps.random.uuid();
    const request = signed(envelope(subject, 'user.locked', 2));
    const began = performance.now();
    const { status } = await route.answer(request, {
      id: subject,
      address: '127.0.0.1',
      body: () => readBody(request, MAX_OWN_BODY_BYTES),
    });
    if (status !== 202) throw new Error(`a suspension of the bench was answered with ${status}`);
    while (!(await refused(subject))) {
      if (performance.now() - began > MOST_MS) throw new Error('a suspension of the bench has no effect');
      await new Promise((resolve) => setImmediate(resolve));
    }
    times.push(performance.now() - began);
  }
  await database.execute(sql`truncate sallyport_webhook_events`);
  return times;
}
