/**
 * Processes die at each of their calls to database and provider: before it, or when it was carried out and not answered. In full at
 * every call, else at some. The command is given again until it ends; what is there then is as if none had died.
 */
import { describe, expect, it } from 'vitest';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { provision, resume } from '../../shared/provisioning/provision.ts';
import { findDifferences, mend } from '../../shared/provisioning/reconcile.ts';
import { openRollbackBooks, rollBack } from '../../shared/provisioning/rollback.ts';
import { undoRollback } from '../../shared/provisioning/rollback-undo.ts';
import { undoRun } from '../../shared/provisioning/undo.ts';
import { DATABASE } from '../support/databases.ts';
import { FULL } from '../support/scale.ts';
import { ALL, depsOf, setGround } from './ground.ts';

const PEOPLE = 7;
/** Of the calls, in a small form. */
const EACH = FULL ? 1 : 9;

class Killed extends Error {}

/** Throws from the given call on, for ever. */
function killAt(point: number) {
  let calls = 0;
  const crash = (): void => {
    calls += 1;
    if (calls >= point) throw new Killed();
  };
  return { crash, count: () => calls };
}

async function dying<T>(crash: () => void, call: () => Promise<T>): Promise<T> {
  crash();
  const answer = await call();
  crash();
  return answer;
}

/** They call no provider. */
const AT_ONCE = ['nameOf', 'groupName', 'refusalOf'];

function mortal<T extends object>(crash: () => void, target: T): T {
  return new Proxy(target, {
    get(inner, name) {
      const member: unknown = Reflect.get(inner, name);
      if (typeof member !== 'function' || AT_ONCE.includes(String(name))) return member;
      return (...args: unknown[]) =>
        dying(crash, async () => (await Reflect.apply(member, inner, args)) as unknown);
    },
  });
}

describe('processes that are killed', () => {
  const ground = setGround(DATABASE, { batch: 2, concurrency: 1 });

  const depsDyingAt = (crash: () => void) =>
    depsOf(mortal<Database>(crash, ground.database), mortal<Directory>(crash, ground.directory), {
      sleep: () => Promise.reject(new Killed()),
    });

  /** `work` until it ends by itself, killed at one point after another; `begin` and `check` around each. */
  async function atEveryPoint(
    begin: () => Promise<void>,
    work: (crash: () => void) => Promise<unknown>,
    check: () => Promise<void>,
  ): Promise<number> {
    let points = 0;
    for (let point = 1, ended = false; !ended; point += EACH) {
      await begin();
      const { crash } = killAt(point);
      ended = await work(crash).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Killed) return false;
          throw error;
        },
      );
      if (!ended) points += 1;
      await work(() => undefined);
      await check();
    }
    return points;
  }

  async function fresh(): Promise<void> {
    for (const table of [
      sql`delete from sallyport_runs`,
      sql`delete from sallyport_leases`,
      sql`delete from tenants`,
    ])
      await ground.database.execute(table);
    ground.directory.accounts.clear();
    ground.directory.made.clear();
    await ground.addTenant('acme');
    await ground.addTenant('birch');
    for (let n = 0; n < PEOPLE; n += 1)
      await ground.addUser({
        tenant: n % 2 === 0 ? 'acme' : 'birch',
        email: `user${n}@example.org`,
        role: n === 0 ? 'admin' : 'user',
      });
    await ground.sync();
  }

  const runs = () =>
    ground.database.query(
      sql`select run_id, state from sallyport_runs where kind = 'provisioning' order by started_at`,
      { parse: (row) => row as { run_id: string; state: string } },
    );

  it('provision, then resume: every user exactly once', async () => {
    const points = await atEveryPoint(
      fresh,
      async (crash) => {
        const [cutOff] = (await runs()).filter(({ state }) => state === 'running');
        const deps = depsDyingAt(crash);
        await (cutOff === undefined ? provision(ALL, deps) : resume(cutOff.run_id, deps));
      },
      async () => {
        const rows = await ground.rows();
        expect(
          rows.every(({ user_id, link, auth_method }) => link === user_id && auth_method === 'dual'),
        ).toBe(true);
        expect([...ground.directory.made.values()]).toEqual(Array(PEOPLE).fill(1));
        expect(ground.directory.accounts.size).toBe(PEOPLE);
        expect((await findDifferences(null, ground.deps())).left).toEqual([]);
        const open = (await runs()).filter(({ state }) => state === 'running');
        expect(open).toEqual([]);
      },
    );
    expect(points).toBeGreaterThan(FULL ? 30 : 3);
  });

  it('provision, resumed after a deletion: nobody deleted has an account', async () => {
    let deleted = '';
    await atEveryPoint(
      async () => {
        await fresh();
        deleted = '';
      },
      async (crash) => {
        const [cutOff] = (await runs()).filter(({ state }) => state === 'running');
        if (cutOff !== undefined && deleted === '') {
          const [made] = ground.directory.accounts.keys();
          deleted = made ?? '';
          await ground.database.execute(sql`delete from users where user_id::text = ${deleted}`);
        }
        const deps = depsDyingAt(crash);
        await (cutOff === undefined ? provision(ALL, deps) : resume(cutOff.run_id, deps));
      },
      async () => {
        expect(ground.directory.accounts.has(deleted)).toBe(false);
        expect(ground.directory.accounts.size).toBe((await ground.rows()).length);
      },
    );
  });

  it('rollback of a run: exactly its accounts go, and rows are as before', async () => {
    let before: unknown;
    let runId = '';
    await atEveryPoint(
      async () => {
        await fresh();
        await provision({ ...ALL, limit: 2 }, ground.deps());
        before = await ground.rows();
        ({ runId } = await provision(ALL, ground.deps()));
      },
      (crash) => undoRun(runId, depsDyingAt(crash)),
      async () => {
        expect(await ground.rows()).toEqual(before);
        expect(ground.directory.accounts.size).toBe(2);
      },
    );
  });

  it('reconcile --fix: both sides agree at the end, and who was missing was made once', async () => {
    await atEveryPoint(
      async () => {
        await fresh();
        await provision(ALL, ground.deps());
        const [one, two, three] = [...ground.directory.accounts.values()];
        ground.directory.accounts.delete(one!.id);
        two!.mail = 'other@example.org';
        three!.disabled = true;
      },
      (crash) => mend(null, depsDyingAt(crash)),
      async () => {
        expect((await findDifferences(null, ground.deps())).left).toEqual([]);
        expect([...ground.directory.made.values()].reduce((sum, n) => sum + n, 0)).toBe(PEOPLE + 1);
        expect((await runs()).filter(({ state }) => state === 'running')).toEqual([]);
      },
    );
  });

  it('migration rollback and its undo: all or as before', async () => {
    let before: unknown;
    const deps = (crash: () => void) => ({
      ...ground.deps(),
      ...openRollbackBooks(mortal<Database>(crash, ground.database), { ms: 0 }),
    });
    const rollbacks = () =>
      ground.database.query(sql`select run_id, state from sallyport_runs where kind = 'migration rollback'`, {
        parse: (row) => row as { run_id: string; state: string },
      });
    await atEveryPoint(
      async () => {
        await fresh();
        await provision(ALL, ground.deps());
        before = await ground.rows();
      },
      (crash) => rollBack({ tenant: null, clearLinks: true }, deps(crash)),
      async () => {
        expect(
          (await ground.rows()).every(({ auth_method, link }) => auth_method === 'password' && link === null),
        ).toBe(true);
        // A rollback that died with its last call has begun anew, and found nothing left to do.
        for (const { run_id } of await rollbacks())
          await undoRollback(
            run_id,
            deps(() => undefined),
          );
        expect(await ground.rows()).toEqual(before);
      },
    );
  });
});
