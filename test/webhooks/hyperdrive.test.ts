import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { readStates } from '../../functions/cron/runs.ts';
import { insertEvent } from '../../functions/webhooks/inbox/table.ts';
import { sql } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { ENTRY, startInWorkerd, type InWorkerd } from '../support/in-workerd.ts';
import { openWorld, type World } from '../support/world.ts';
import { envelope, eventOf } from './events.ts';
import { signature } from './sign.ts';

const KEY = 'the-signing-key';
const postgres = DATABASES[1];
const Row = z.object({ id: z.string(), subject: z.string(), status: z.string() });
const Count = z.object({ count: z.number() });
const Answer = z.object({ status: z.string(), id: z.string() });

describe.skipIf(postgres.missing)(
  'the inbox in workerd through Hyperdrive (needs the postgresql package)',
  () => {
    let db: MigratedDatabase;
    let world: World;
    let worker: InWorkerd;
    beforeAll(async () => {
      [db, world] = await Promise.all([postgres.start(), openWorld()]);
      // A name of its own tells its connections from those of the test.
      await db.database.execute(sql`create role worker superuser login`);
      worker = await startInWorkerd(ENTRY, {
        // The address that nobody answers shows that Hyperdrive goes before DATABASE_URL.
        variables: {
          ...world.variables,
          WEBHOOK_SIGNING_KEYS: KEY,
          DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
        },
        hyperdrives: { HYPERDRIVE: Object.assign(new URL(db.url), { username: 'worker' }).href },
      });
    });
    afterAll(async () => {
      await worker.close();
      await world.close();
      await db.close();
    });
    beforeEach(async () => {
      await db.database.execute(sql`delete from sallyport_webhook_events`);
    });

    const rows = () => db.database.query(sql`select id, subject, status from sallyport_webhook_events`, Row);
    const deliver = async (user: string) => {
      const body = JSON.stringify(envelope({ user }));
      const headers = { 'zitadel-signature': signature(KEY, body) };
      const response = await worker.fetch('http://gate.test/webhooks/zitadel', {
        method: 'POST',
        headers,
        body,
      });
      return { http: response.status, ...Answer.parse(await response.json()) };
    };
    const applied = () =>
      vi.waitUntil(async () => (await rows()).every(({ status }) => status === 'applied'), {
        timeout: 600_000,
        interval: 20,
      });

    // The first of all: what deliveries leave under way in the background could take its event.
    it('a trigger applies what is due, and its run is recorded', async () => {
      await insertEvent(eventOf({ user: 'late' }), {
        database: db.database,
        clock: { now: () => Date.now() },
        random: webRandom(),
      });
      expect(await worker.trigger('* * * * *', Date.UTC(2030, 0, 1, 10, 10))).toBe('ok');
      expect(await rows()).toMatchObject([{ subject: 'late', status: 'applied' }]);
      expect(await readStates(db.database)).toMatchObject([
        { job: 'mail-send', last_outcome: 'done' },
        { job: 'webhooks-apply', last_outcome: 'done', last_detail: { applied: 1, failed: 0 } },
      ]);
    });

    it('a delivery is stored once, and applied after its answer', async () => {
      const first = await deliver('u1');
      expect(first).toMatchObject({ http: 202, status: 'accepted' });
      expect(await deliver('u1')).toEqual({ http: 200, status: 'duplicate', id: first.id });
      await applied();
      expect(await rows()).toEqual([{ id: first.id, subject: 'u1', status: 'applied' }]);
    });

    it('deliveries at the same moment share no connection, and leave none open', async () => {
      const users = Array.from({ length: 16 }, (_, index) => `crowd${index}`);
      const answers = await Promise.all(users.map(deliver));
      expect(answers.map(({ http }) => http)).toEqual(users.map(() => 202));
      await applied();
      expect((await rows()).map(({ subject }) => subject).sort()).toEqual(users.sort());
      const open = () =>
        db.database.query(sql`select count(*) from pg_stat_activity where usename = 'worker'`, Count);
      await vi.waitUntil(async () => (await open())[0]?.count === 0, { timeout: 600_000, interval: 20 });
    });

    it('is up in /ready', async () => {
      const ready = z.object({ dependencies: z.record(z.string(), z.looseObject({ up: z.boolean() })) });
      const report = ready.parse(await (await worker.fetch('http://gate.test/ready')).json());
      expect(report.dependencies).toMatchObject({ database: { up: true }, webhook_inbox: { up: true } });
    });
  },
);
