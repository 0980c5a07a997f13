import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { KEPT_DAYS, prune, wouldPrune, type PruneDeps } from '../../functions/webhooks/inbox/prune.ts';
import { AlreadyPruned, reconcile } from '../../functions/webhooks/reconcile/reconcile.ts';
import { insertEvent } from '../../functions/webhooks/inbox/table.ts';
import { readPrunedUntil } from '../../functions/webhooks/reconcile/store.ts';
import { sql } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { eventOf } from './events.ts';
import { instance, START, type Instance } from './reconcile-support.ts';

const DAY_MS = 24 * 3600 * 1000;
const Subject = z.object({ subject: z.string() });
const signal = new AbortController().signal;

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))(
  'pruning on %s',
  (_name, kind) => {
    describe.skipIf(kind.missing)('with an inbox', () => {
      let db: MigratedDatabase;
      let serial = 0;
      beforeAll(async () => {
        db = await kind.start();
      });
      afterAll(() => db.close());
      beforeEach(() => db.database.execute(sql`delete from sallyport_webhook_events`));

      const deps = (days: number): PruneDeps => ({
        database: db.database,
        clock: { now: () => START + days * DAY_MS },
      });
      const subjects = async () =>
        (
          await db.database.query(sql`select subject from sallyport_webhook_events order by subject`, Subject)
        ).map(({ subject }) => subject);
      const apply = () => db.database.execute(sql`update sallyport_webhook_events set status = 'applied'`);

      /** Users two minutes apart, delivered and applied: the reconcile looks five minutes back. */
      const open = async (users: readonly string[]): Promise<Instance & { readonly id: string }> => {
        const id = `pruned-${(serial += 1)}`;
        const made = instance({ id, database: db.database, stepMs: 120_000 });
        for (const user of users) made.users.create({ userName: user, id: user });
        await made.deliveries.settled();
        await apply();
        return { id, ...made };
      };
      const TEN = Array.from({ length: 10 }, (_, index) => `user${index}`);

      it('deletes what was applied and is old, and nothing that waits, was set aside or is young', async () => {
        const arrived = (days: number, user: string) =>
          insertEvent(eventOf({ user, instance: 'ages' }), {
            database: db.database,
            clock: { now: () => START + days * DAY_MS },
            random: webRandom(),
          });
        for (const user of ['applied', 'waits', 'set-aside']) await arrived(0, user);
        await arrived(1, 'young');
        await apply();
        await db.database.execute(
          sql`update sallyport_webhook_events set status = 'pending' where subject = 'waits'`,
        );
        await db.database.execute(
          sql`update sallyport_webhook_events set status = 'dead' where subject = 'set-aside'`,
        );
        await identitiesOf('zitadel', db.database).record(
          { subject: 'applied', position: 1, state: 'removed' },
          new Date(START),
        );
        expect(await prune(deps(KEPT_DAYS), { signal })).toEqual({ pruned: 0, complete: true });
        const soon = deps(KEPT_DAYS + 0.5);
        expect(await wouldPrune(soon)).toBe(1);
        expect(await prune(soon, { signal })).toEqual({ pruned: 1, complete: true });
        expect(await prune(soon, { signal })).toEqual({ pruned: 0, complete: true });
        expect(await subjects()).toEqual(['set-aside', 'waits', 'young']);
        expect(await identitiesOf('zitadel', db.database).states(['applied'])).toMatchObject([
          { subject: 'applied', state: 'removed' },
        ]);
      });

      it('does a bounded part at a time, and nothing once its time is over', async () => {
        await open(TEN);
        const late = deps(200);
        expect(await prune(late, { signal: AbortSignal.abort() })).toEqual({ pruned: 0, complete: false });
        const part = { signal, rows: 3, statements: 2 };
        expect(await prune(late, part)).toEqual({ pruned: 6, complete: false });
        expect(await prune(late, part)).toEqual({ pruned: 4, complete: true });
      });

      it('keeps what the reconcile has not left behind, and is not fed again by it', async () => {
        const zitadel = await open(TEN);
        const { missed } = await zitadel.reconcile();
        expect(missed).toEqual([]);
        expect(await prune(deps(200), { signal })).toEqual({ pruned: 7, complete: true });
        expect(await subjects()).toEqual(TEN.slice(7));
        expect(await zitadel.reconcile()).toMatchObject({ missed: [], complete: true });
        const until = await readPrunedUntil(db.database, zitadel.id);
        expect(await zitadel.reconcile({ since: until! })).toMatchObject({ missed: [] });
        for (const dryRun of [true, false]) {
          const refused = zitadel.reconcile({ since: new Date(START), dryRun });
          await expect(refused).rejects.toThrow(AlreadyPruned);
          await expect(refused).rejects.toThrow(until!.toISOString());
        }
        expect(await subjects()).toEqual(TEN.slice(7));
      });

      it('feeds nothing again to a reconcile that began before it', async () => {
        const zitadel = await open(TEN);
        const listThenPrune = async (url: string, init?: RequestInit) => {
          const answer = await zitadel.deps.fetch(url, init);
          if (url.endsWith('/_search')) await prune(deps(200), { signal });
          return answer;
        };
        const since = new Date(START - DAY_MS);
        const running = reconcile(
          { ...zitadel.deps, fetch: listThenPrune },
          { since, dryRun: false, signal },
        );
        expect(await running).toMatchObject({ compared: 10, missed: [] });
        expect(await subjects()).toEqual([]);
      });

      it('does not hide what was missed since', async () => {
        const zitadel = await open(TEN);
        await zitadel.reconcile();
        expect(await prune(deps(200), { signal })).toMatchObject({ pruned: 7 });
        await db.database.execute(sql`delete from sallyport_webhook_events where subject = 'user8'`);
        expect(await zitadel.reconcile()).toMatchObject({ missed: [{ subject: 'user8' }] });
      });
    });
  },
);
