import { insertEvent } from '../../functions/webhooks/inbox/table.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/receive/parse.ts';
import { userOf } from '../../shared/identity/subjects.ts';
import { TUPLES_PER_WRITE, type Tuple, type Tuples } from '../../shared/ports/tuples.ts';
import type { LifecycleGround } from './ground.ts';
import { fill, timed, type Side } from './sides.ts';
import { envelope } from './webhooks.ts';

const TYPES = ['role', 'organization', 'feature', 'document'] as const;
const RELATIONS = {
  role: 'assignee',
  organization: 'member',
  feature: 'viewer',
  document: 'viewer',
} as const;

/** An inbox event `user.removed` applied as the product does it: claimed, mirrored, revoked, swept, finished. */
export function removed(ground: LifecycleGround, count: number): Side {
  const { deps, database, issuer, webhooks } = ground;
  const { clock, random } = deps;
  return withUser(ground, count, async (subject) => {
    const event = parseEvent(envelope(subject, 'user.removed'), issuer);
    if (event === IGNORED) throw new Error('the removal of the bench is ignored');
    await insertEvent(event, { database, clock, random });
    return timed(async () => {
      const outcome = await webhooks.inbox?.applyDue(1);
      if (outcome?.applied !== 1) throw new Error('the removal of the bench was not applied');
    });
  });
}

/** The reads and deletes of 100 alone, one after the other as in the product: every type until it is empty. */
export function removedBare(ground: LifecycleGround, count: number): Side {
  const { deps, issuer } = ground;
  return withUser(ground, count, (subject) => {
    const user = userOf(issuer, subject);
    return timed(async () => {
      for (const type of TYPES) await emptied(deps.tuples, user, type);
      await deps.tuples.read({ object: user });
    });
  });
}

async function emptied(tuples: Tuples, user: string, type: string): Promise<void> {
  for (;;) {
    const { tuples: deletes } = await tuples.read({ user, object: `${type}:` });
    if (deletes.length === 0) return;
    await tuples.write({ deletes });
  }
}

/** A new user with tuples on objects of every type, written before the clock runs. */
function withUser(
  { deps, issuer }: LifecycleGround,
  count: number,
  work: (subject: string) => Promise<number>,
): Side {
  return async () => {
    const subject = deps.random.uuid();
    const user = userOf(issuer, subject);
    await fill(deps.tuples, tuplesOf(user, count));
    const ms = await work(subject);
    for (const type of TYPES)
      if ((await deps.tuples.read({ user, object: `${type}:` })).tuples.length > 0)
        throw new Error('the removal of the bench left a tuple');
    return ms;
  };
}

/** A type's tuples follow each other, by whole pages. */
function tuplesOf(user: string, count: number): Tuple[] {
  return Array.from({ length: count }, (_, n) => {
    const type = TYPES[Math.floor(n / TUPLES_PER_WRITE) % TYPES.length] ?? 'feature';
    return { user, relation: RELATIONS[type], object: `${type}:${n}` };
  });
}
