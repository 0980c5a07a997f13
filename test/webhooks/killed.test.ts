import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { bundled, type Bundled } from '../support/bundled.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { times } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { serve, type Served } from '../support/serve.ts';
import { createEngine, type Engine } from './engine.ts';

const KILLS = times(200, 4);
/** Instances at the same time: what one leaves behind, others find. */
const INSTANCES = 4;
const USERS_PER_ROUND = 12;
const Call = z.object({
  method: z.enum(['read', 'write', 'objectTypes', 'mark']),
  argument: z.array(z.unknown()),
});
const Counted = z.object({ status: z.string(), count: z.number() });
const Mirror = z.object({ subject: z.string(), username: z.string().nullable(), state: z.string() });
const real = DATABASES[1];

describe.skipIf(real.missing)(`instances killed with SIGKILL on ${real.name}`, () => {
  let instance: Bundled;
  let db: MigratedDatabase;
  let engine: Engine;
  let outside: Served;
  beforeAll(async () => {
    instance = await bundled(fileURLToPath(new URL('killed.child.ts', import.meta.url)));
    db = await real.start();
    engine = createEngine(db.database);
    outside = await serve(0, async (request) => {
      const { method, argument } = Call.parse(await request.json());
      const port = method === 'mark' ? engine.revocations : engine.tuples;
      const call = (port as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>)[method]!;
      return Response.json((await call.apply(port, argument)) ?? null);
    });
  });
  afterAll(async () => {
    await outside.close();
    await db.close();
    await instance.close();
  });

  /** A user who is granted, renamed and locked, and then let in again or removed. */
  async function live(user: string, end: string): Promise<void> {
    const events = [
      { sequence: 1, payload: { userName: 'first' } },
      { sequence: 2, type: 'user.username.changed', payload: { userName: 'second' } },
      { sequence: 3, type: 'user.locked' },
      { sequence: 4, type: end },
    ];
    await Promise.all(events.map((event) => engine.arrive({ user, ...event })));
  }

  async function run(killAt: number, when: string): Promise<boolean> {
    const args = [db.url, outside.url, engine.clock.now(), killAt, when].map(String);
    const started = instance.spawn({}, ...args);
    const [code, signal] = (await once(started, 'exit')) as [number | null, string | null];
    expect([code, signal]).toContainEqual(code === null ? 'SIGKILL' : 0);
    return signal === 'SIGKILL';
  }

  const left = async (user: string) => ({
    tuples: [...engine.tuples.all].filter((t) => t.includes(`user:${user}"`)).map((t) => t.replace(user, '')),
    marked: engine.revocations.marked.has(`zitadel|${user}`),
    mirror: (
      await db.database.query(
        sql`select subject, username, state from sallyport_identities where subject = ${user}`,
        Mirror,
      )
    ).map(({ username, state }) => ({ username, state })),
  });

  it(`at ${KILLS} random points of applying lose nothing and double nothing`, async () => {
    const random = seeded(20260101);
    const ends = ['user.unlocked', 'user.removed'];
    for (const end of ends) {
      await live(end, end);
      await engine.settle();
    }
    const undisturbed = await Promise.all(ends.map(left));
    let [kills, users] = [0, 0];
    while (kills < KILLS) {
      const arriving = Array.from({ length: USERS_PER_ROUND }, () => users++);
      await Promise.all(arriving.map((n) => live(`u${n}`, ends[n % 2]!)));
      const points = Array.from({ length: INSTANCES }, () => [1 + random(40), random(2)] as const);
      const killed = await Promise.all(points.map(([at, when]) => run(at, when === 0 ? 'before' : 'after')));
      kills += killed.filter(Boolean).length;
      // Past the leases of the dead.
      engine.clock.advance(61);
    }
    while ((await engine.settle()).applied > 0);

    const counted = sql`select status, count(*) as count from sallyport_webhook_events group by status`;
    expect(await db.database.query(counted, Counted)).toEqual([
      { status: 'applied', count: 4 * (users + ends.length) },
    ]);
    for (let n = 0; n < users; n++) expect(await left(`u${n}`), `u${n}`).toEqual(undisturbed[n % 2]);
  });
});
