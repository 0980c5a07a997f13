/** A queue over a table of its own, as mails would have one: one address at a time, in the order they came. Long because all promises are shown on the one table. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { openQueue, type Outcome, type Worker } from '../../shared/runs/queue.ts';
import type { QueueTable } from '../../shared/runs/queue-table.ts';
import { gate } from '../cron/support.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';

const MailRow = z.object({ id: z.string(), address: z.string(), position: z.number(), attempts: z.number() });
type Mail = z.output<typeof MailRow>;

const OUTBOX: QueueTable<Mail> = {
  name: sql`test_outbox`,
  columns: sql`item.id, address, position, attempts`,
  row: MailRow,
  done: 'sent',
  held: sql`address = 'held'`,
  rank: sql`(item.address = 'urgent')`,
  order: { key: sql`address`, precedes: () => sql`other.position < item.position` },
};

const Row = z.object({
  position: z.number(),
  status: z.string(),
  attempts: z.number(),
  last_error: z.string().nullable(),
  due: z.date(),
  now: z.date(),
  leased: z.boolean(),
});

describe.each(kindsOf(DATABASES))('a queue on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    let db: MigratedDatabase;
    beforeAll(async () => {
      db = await kind.start();
      await db.database.execute(sql`
        create table test_outbox (id uuid primary key default gen_random_uuid(), address text not null,
          position bigint generated always as identity, status text not null default 'pending', attempts integer not null default 0,
          due_at timestamptz not null default now(), lease_id uuid, lease_until timestamptz, finished_at timestamptz, last_error text)`);
    });
    afterAll(() => db.close());
    beforeEach(() => db.database.execute(sql`truncate test_outbox restart identity`));

    const put = async (...addresses: string[]) => {
      for (const address of addresses)
        await db.database.execute(sql`insert into test_outbox (address) values (${address})`);
    };
    const rows = () =>
      db.database.query(
        sql`select position, status, attempts, last_error, lease_id is not null as leased,
              due_at as due, now() as now
            from test_outbox order by position`,
        Row,
      );
    const runOut = () => db.database.execute(sql`update test_outbox set lease_until = now()`);
    const dueNow = () => db.database.execute(sql`update test_outbox set due_at = now()`);

    interface Options {
      readonly mostAttempts?: number;
      readonly database?: Database;
      readonly parallel?: number;
      readonly ahead?: number;
      readonly goesOn?: () => boolean;
      readonly final?: boolean;
    }

    function instance(
      send: (mail: Mail, commit: () => Promise<void>) => Promise<void>,
      options: Options = {},
    ) {
      const { database = db.database, mostAttempts, parallel = 4, ahead, goesOn, final = false } = options;
      const ends: Outcome[] = [];
      const worker: Worker<Mail> = {
        parallel,
        ...(ahead !== undefined && { ahead }),
        ...(goesOn !== undefined && { goesOn }),
        work: send,
        isFinal: () => final,
        failed: ({ attempt, dead, error }) => `${attempt} ${dead ? 'last' : 'again'} ${String(error)}`,
        ended: (outcome) => void ends.push(outcome),
      };
      const queue = openQueue({
        ...{ table: OUTBOX, database, random: webRandom() },
        ...(mostAttempts !== undefined && { mostAttempts }),
      });
      return { ends, workOff: (limit = 100) => queue.workOff(limit, worker) };
    }

    it('gives each row to one of many instances, and no two of one key at the same time', async () => {
      const addresses = Array.from({ length: 12 }, (_, n) => `a${n % 4}`);
      await put(...addresses);
      const sent = new Map<string, number[]>();
      const busy = new Set<string>();
      let together = 0;
      const instances = Array.from({ length: 4 }, () =>
        instance(
          async ({ address, position }) => {
            if (busy.has(address)) together += 1;
            busy.add(address);
            await db.database.ping();
            sent.set(address, [...(sent.get(address) ?? []), position]);
            busy.delete(address);
          },
          { database: db.another() },
        ),
      );
      // An instance that finds only rows behind others' goes, so the last ones are worked off by whoever comes next.
      while ((await rows()).some(({ status }) => status === 'pending'))
        await Promise.all(instances.map(({ workOff }) => workOff()));
      expect(together).toBe(0);
      for (const positions of sent.values()) expect(positions).toEqual(positions.toSorted((a, b) => a - b));
      expect([...sent.values()].flat()).toHaveLength(12);
      expect((await rows()).every(({ status, leased }) => status === 'sent' && !leased)).toBe(true);
    });

    it('takes no more rows than it was asked for, and no more at a time than its worker wants', async () => {
      await put('a', 'b', 'c', 'd', 'e');
      let [busy, most] = [0, 0];
      const { workOff } = instance(
        async () => {
          most = Math.max(most, (busy += 1));
          await db.database.ping();
          busy -= 1;
        },
        { parallel: 2 },
      );
      expect(await workOff(3)).toEqual({ done: 3, failed: 0, dead: 0, taken_over: 0 });
      expect(most).toBe(2);
      expect((await rows()).filter(({ status }) => status === 'pending')).toHaveLength(2);
    });

    it('leases ahead of its work, and gives back as it was what it did not begin', async () => {
      await put('a', 'b', 'c', 'd', 'e');
      const begun: number[] = [];
      const leased: boolean[] = [];
      const { workOff } = instance(
        async ({ position }) => {
          begun.push(position);
          leased.push((await rows())[4]!.leased);
        },
        { parallel: 1, ahead: 5, goesOn: () => begun.length < 2 },
      );
      expect(await workOff()).toEqual({ done: 2, failed: 0, dead: 0, taken_over: 0 });
      expect(begun).toEqual([1, 2]);
      expect(leased).toEqual([true, true]);
      expect((await rows()).map(({ status, leased: held, attempts }) => [status, held, attempts])).toEqual([
        ['sent', false, 0],
        ['sent', false, 0],
        ['pending', false, 0],
        ['pending', false, 0],
        ['pending', false, 0],
      ]);
    });

    it('begins with those that rank first, then with those that have been due for longest, of a batch too', async () => {
      await put(...Array.from({ length: 120 }, (_, n) => `a${n}`), 'urgent');
      await db.database.execute(sql`update test_outbox set due_at = now() - interval '1 minute' * position`);
      // With figures of so small a table Postgres reads all of it for a batch, in its own order.
      await db.database.execute(sql`analyze test_outbox`);
      const begun: number[] = [];
      const { workOff } = instance(async ({ position }) => void begun.push(position), {
        parallel: 1,
        ahead: 20,
      });
      expect(await workOff(20)).toMatchObject({ done: 20 });
      expect(begun).toEqual(Array.from({ length: 20 }, (_, n) => 121 - n));
    });

    it('has recorded a row when the next of its lane commits, so that a crash repeats one row of each at most', async () => {
      await put('a', 'b', 'c', 'd', 'e', 'f');
      const unrecorded: number[] = [];
      const worked = new Set<number>();
      const { workOff } = instance(
        async ({ position }, commit) => {
          await commit();
          const pending = (await rows()).filter(({ status }) => status === 'pending');
          unrecorded.push(pending.filter((row) => worked.has(row.position)).length);
          worked.add(position);
        },
        { parallel: 2, ahead: 6 },
      );
      expect(await workOff()).toMatchObject({ done: 6 });
      // Of the other lane alone.
      expect(Math.max(...unrecorded)).toBeLessThanOrEqual(1);
    });

    it('lets nobody commit whose lease is another’s', async () => {
      await put('a');
      const { workOff } = instance(async (_mail, commit) => {
        await runOut();
        await commit();
      });
      expect(await workOff()).toMatchObject({ done: 0, failed: 1 });
      expect(await rows()).toMatchObject([
        { status: 'pending', last_error: '1 again LeaseLost: another instance has taken over' },
      ]);
    });

    it('commits no row that is held since, and gives those behind it back as they were', async () => {
      await put('a', 'b', 'c');
      const { workOff } = instance(
        async ({ position }, commit) => {
          if (position === 2) await db.database.execute(sql`update test_outbox set address = 'held'`);
          await commit();
        },
        { parallel: 1, ahead: 3 },
      );
      expect(await workOff()).toEqual({ done: 1, failed: 1, dead: 0, taken_over: 0 });
      expect((await rows()).map(({ status, leased, attempts }) => [status, leased, attempts])).toEqual([
        ['sent', false, 0],
        ['pending', false, 1],
        ['pending', false, 0],
      ]);
    });

    it('brings a row that failed back after a wait that grows, and holds those behind it up, no others', async () => {
      await put('a', 'a', 'b');
      const { workOff } = instance(async ({ position }) => {
        if (position === 1) throw new Error('no');
      });
      for (const most of [1, 2, 4, 8]) {
        const [before] = await rows();
        expect(await workOff()).toMatchObject({ failed: 1 });
        const [first, second, other] = await rows();
        expect(first!.due.getTime() - before!.now.getTime()).toBeGreaterThanOrEqual(most * 500);
        expect(first!.due.getTime() - first!.now.getTime()).toBeLessThanOrEqual(most * 1_000);
        expect([second!.status, other!.status]).toEqual(['pending', 'sent']);
        await db.database.execute(
          sql`update test_outbox set due_at = now() + interval '1 hour' where position = 1`,
        );
        expect(await workOff()).toEqual({ done: 0, failed: 0, dead: 0, taken_over: 0 });
        await dueNow();
      }
      expect((await rows())[0]).toMatchObject({
        attempts: 4,
        last_error: '4 again Error: no',
        leased: false,
      });
    });

    it('sets a row aside after its last attempt, or at once where none can help, and goes on behind it', async () => {
      await put('a', 'a');
      const failing = async ({ position }: Mail) => {
        if (position === 1) throw new Error('no');
      };
      const patient = instance(failing, { mostAttempts: 2 });
      expect(await patient.workOff()).toMatchObject({ failed: 1, dead: 0 });
      await dueNow();
      expect(await patient.workOff()).toMatchObject({ dead: 1, done: 1 });
      expect(await rows()).toMatchObject([
        { status: 'dead', attempts: 2, last_error: '2 last Error: no' },
        { status: 'sent', attempts: 0, last_error: null },
      ]);
      await put('c');
      const hopeless = instance(() => Promise.reject(new Error('never')), { final: true });
      expect(await hopeless.workOff()).toMatchObject({ dead: 1, failed: 0 });
    });

    it.each([
      ['ends well', () => Promise.resolve()],
      ['fails', () => Promise.reject(new Error('late'))],
    ])('what an instance was too slow with is another’s: it %s, and changes nothing', async (_, end) => {
      await put('a');
      const [began, goOn] = [gate(), gate()];
      const slow = instance(async () => {
        began.open();
        await goOn.opened;
        await end();
      });
      const late = slow.workOff();
      await began.opened;
      const [otherBegan, otherEnds] = [gate(), gate()];
      const other = instance(async () => {
        otherBegan.open();
        await otherEnds.opened;
      });
      expect(await other.workOff()).toMatchObject({ done: 0 });
      await runOut();
      const next = other.workOff();
      await otherBegan.opened;
      goOn.open();
      expect(await late).toMatchObject({ taken_over: 1, done: 0, failed: 0 });
      expect(slow.ends).toEqual(['taken_over']);
      expect(await rows()).toMatchObject([
        { status: 'pending', attempts: 0, last_error: null, leased: true },
      ]);
      otherEnds.open();
      expect(await next).toMatchObject({ done: 1 });
    });
  });
});
