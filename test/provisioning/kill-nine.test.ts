/**
 * Processes of `sallyport users provision`, `reconcile --fix` and `rollback` die by SIGKILL at a random call to the stand-in of Kanidm or to
 * Postgres: before it is passed on, when it was carried out and not answered, or with its answer. Nothing waits for a time.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { linuxProcesses } from '../../shared/adapters/node/processes.ts';
import { sql } from '../../shared/ports/database.ts';
import { findDifferences } from '../../shared/provisioning/reconcile.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import { Border, type Fate } from '../support/border.ts';
import { bundled, type Bundled } from '../support/bundled.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import { crossToHttp, type Crossing } from '../support/crossing.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { FULL } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { depsOf, groundOn } from './ground.ts';
import { kanidmDirectory } from './stand-ins.ts';

/** Of each kind. */
const KILLS = { provision: 120, reconcile: 40, rollback: 40 };
/** Calls that a process lives for, at most. */
const WITHIN = 40;
const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];
/** More than a batch of creations, so that a run is cut off between two. */
const PEOPLE = 130;

// killed.test.ts beside it has it at calls, in one process, each time.
describe.skipIf(!FULL)('kill -9 (in the full form alone; stand-in of Kanidm)', () => {
  const border = new Border();
  const random = seeded(20260101);
  let kanidm: Kanidm;
  let db: MigratedDatabase;
  let crossings: Crossing[];
  let command: Bundled;
  beforeAll(async () => {
    [kanidm, db] = await Promise.all([startKanidm(), DATABASE.start()]);
    crossings = [await crossToHttp(kanidm.url, border), await crossToPostgres(db.url, border)];
    command = await bundled(fileURLToPath(new URL('kill-nine.child.ts', import.meta.url)));
  });
  afterAll(async () => {
    await command.close();
    await Promise.all(crossings.map((crossing) => crossing.close()));
    await Promise.all([kanidm.close(), db.close()]);
  });

  /** One process, killed at its `at`th call unless it ends before that. */
  async function run(args: readonly string[], at: number): Promise<boolean> {
    const [provider, postgres] = crossings.map(({ url }) => url);
    const variables = {
      DATABASE_URL: postgres!,
      KANIDM_URL: provider!,
      KANIDM_ISSUER_URL: kanidm.issuer('api'),
      KANIDM_TOKEN: kanidm.token,
      MIGRATION_PROVIDER: 'kanidm',
    };
    const child = command.spawn(variables, ...args);
    border.arm(at, FATES[random(FATES.length)]!, () => child.kill('SIGKILL'));
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([0, 'SIGKILL']).toContain(code ?? signal);
    await Promise.all(crossings.map((crossing) => crossing.settled()));
    // Where the system does not show that a holder is dead, its lease would have to run out.
    if (signal === 'SIGKILL' && linuxProcesses().own === null)
      await db.database.execute(sql`delete from sallyport_leases`);
    return signal === 'SIGKILL';
  }

  const ground = () => groundOn(db.database);
  const deps = () => depsOf(db.database, kanidmDirectory(kanidm));
  const people = () => kanidm.store.entries('person').map(({ uuid }) => uuid);
  const openRun = async (): Promise<string | undefined> => {
    const rows = await db.database.query(
      sql`select run_id from sallyport_runs where state in ('running', 'undoing')`,
      { parse: (row) => (row as { run_id: string }).run_id },
    );
    return rows[0];
  };
  const lastRun = async (): Promise<string> => {
    const rows = await db.database.query(
      sql`select run_id from sallyport_runs order by started_at desc limit 1`,
      { parse: (row) => (row as { run_id: string }).run_id },
    );
    return rows[0] ?? '';
  };

  async function fresh(): Promise<void> {
    border.disarm();
    await db.database.execute(sql`delete from sallyport_runs`);
    await db.database.execute(sql`delete from tenants`);
    const { addTenant, addUser } = ground();
    await addTenant('acme');
    await addTenant('birch');
    for (let n = 0; n < PEOPLE; n += 1)
      await addUser({ tenant: n % 4 === 0 ? 'birch' : 'acme', email: `user${n}.${random(1e9)}@example.org` });
    await syncGroups(null, false, deps());
  }

  /** The command until it ends by itself. Returns how many processes died. */
  async function toItsEnd(args: () => Promise<readonly string[]>, kills: number): Promise<number> {
    let dead = 0;
    while (await run(await args(), dead < kills ? 1 + random(WITHIN) : Infinity)) dead += 1;
    return dead;
  }

  const provisioning = async (): Promise<readonly string[]> => {
    const open = await openRun();
    return open === undefined ? ['provision'] : ['resume', open];
  };

  // 200 processes are started and killed: more than the usual watchdog lets a busy machine do.
  it(
    'everybody is there exactly once; a rollback takes away exactly them; reconcile --fix ends with both sides equal',
    { timeout: 3_600_000 },
    async () => {
      const dead = { provision: 0, reconcile: 0, rollback: 0 };
      const lacking = (): boolean =>
        Object.entries(KILLS).some(([kind, kills]) => dead[kind as keyof typeof KILLS] < kills);
      for (let round = 0; lacking() || round === 0; round += 1) {
        await fresh();
        const before = people().length;
        dead.provision += await toItsEnd(provisioning, 6);
        const rows = await ground().rows();
        expect(
          rows.every(({ user_id, link }) => link === user_id),
          `round ${round}`,
        ).toBe(true);
        expect(people().length - before).toBe(PEOPLE);
        expect((await findDifferences(null, deps())).left).toEqual([]);

        for (const { user_id } of rows.slice(0, 5)) await kanidmDirectory(kanidm).disable(user_id);
        for (const { user_id } of rows.slice(5, 8)) await kanidmDirectory(kanidm).delete(user_id);
        const runId = await firstRun();
        dead.reconcile += await toItsEnd(async () => ['reconcile'], 3);
        expect((await findDifferences(null, deps())).left, `round ${round}`).toEqual([]);

        dead.rollback += await toItsEnd(async () => ['rollback', runId], 3);
        const kept = (await ground().rows()).filter(({ link }) => link !== null).length;
        expect(kept).toBe(3);
        expect(people().length - before).toBe(3);
        await toItsEnd(async () => ['rollback', await lastRun()], 0);
        expect(people().length - before).toBe(0);
      }
    },
  );

  const firstRun = async (): Promise<string> => {
    const rows = await db.database.query(sql`select run_id from sallyport_runs order by started_at limit 1`, {
      parse: (row) => (row as { run_id: string }).run_id,
    });
    return rows[0] ?? '';
  };
});
