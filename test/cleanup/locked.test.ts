/** What others do while the clean-up archives: nobody waits for it, and nothing of theirs is lost. */
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { drop, MOST_LOCKED } from '../../cli/migration/cleanup/drop.ts';
import { readGated } from '../../cli/db/gated.ts';
import { readRecipient } from '../../cli/sealed/keys.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { connect } from '../db/support.ts';
import { openGate } from './by-hand.ts';
import { awaited, cleanupOf, cleanupStage, passwordSignIn, postgres } from './stage.ts';

const PEOPLE = 30_000;
const Reads = z.object({ rows: z.number() });

describe.skipIf(postgres.missing)('beside cleanup apply (needs the postgresql package)', () => {
  const stage = cleanupStage();
  const { backup, restore } = cleanupOf(stage);

  /** Runs the clean-up; `work` once everything is archived and it waits for a reader of `users`, who then ends. */
  async function meanwhile(work: () => Promise<unknown>, more = '') {
    const line = stage.applied(`--backup ${await backup()} --wait 300 ${more}`);
    const reader = await connect(stage.db.url);
    await reader.query('begin');
    await reader.query('select from users limit 1');
    const applying = stage.run(line);
    await awaited(stage, 'users');
    await work();
    await reader.query('commit');
    await reader.end();
    return { ...(await applying), archive: /--archive (\S+)/.exec(line)?.[1] ?? '' };
  }

  it('people go on: what they change after it was archived comes back as it was last', async () => {
    let last: unknown[] = [];
    const done = await meanwhile(async () => {
      await stage.database.execute(
        sql`update users set failed_login_attempts = 7, password_hash = 'changed', full_name = 'Changed' where email like 'bob@%'`,
      );
      await stage.database.execute(sql`update users set last_login_at = now() where email like 'bob@%'`);
      last = await stage.users();
    });
    expect(done).toMatchObject({ code: 0 });
    expect(await stage.run(restore(done.archive))).toMatchObject({ code: 0 });
    expect(await stage.users()).toEqual(last);
  });

  it('more changes than it looks at under its locks are archived first, all of them', async () => {
    const count = MOST_LOCKED + 200;
    await stage.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
      select tenant_id, 'many' || n || '@example.org', 'h' || n, 'N' from tenants, generate_series(1, ${count}::int) n where slug = 'acme'`);
    await openGate(stage.database);
    const done = await meanwhile(() =>
      stage.database.execute(sql`update users set password_hash = 'late' || email where email like 'many%'`),
    );
    expect(done).toMatchObject({ code: 0 });
    expect(await stage.run(restore(done.archive))).toMatchObject({ code: 0 });
    expect(await stage.database.execute(sql`select from users where password_hash = 'late' || email`)).toBe(
      count,
    );
  });

  it.each<[what: string, change: () => Promise<unknown>, why: RegExp]>([
    [
      'a sign-in by password',
      () => passwordSignIn(stage.database, '0 seconds'),
      /1 people have signed in by password/,
    ],
    [
      'somebody new who has not moved',
      () => stage.addUser({ tenant: 'acme', email: 'new@acme.example.org' }),
      /5 of 6 active users/,
    ],
    [
      'a tenant that takes its word back',
      () => stage.database.execute(sql`update sallyport_tenants set confirmed_at = null`),
      /0 of 2 tenants have confirmed/,
    ],
    [
      'an exclusion that is lifted',
      () => stage.database.execute(sql`update sallyport_people set excluded_at = null`),
      /4 of 5 active users/,
    ],
  ])('%s closes the gate, after it was read', async (_what, change, why) => {
    let last: unknown[] = [];
    const done = await meanwhile(async () => {
      await change();
      last = await stage.users();
    });
    expect([done.code, done.stdout]).toEqual([1, expect.stringMatching(why)]);
    expect(await stage.users()).toEqual(last);
  });

  it('who came back is not removed, and who has gone is', async () => {
    const [back, gone] = [
      await stage.addUser({ tenant: 'birch', email: 'back@birch.example.org', status: 'suspended' }),
      await stage.addUser({ tenant: 'birch', email: 'gone@birch.example.org' }),
    ];
    await stage.database.execute(
      sql`update users set migration_completed_at = now(), kanidm_user_id = user_id where user_id = ${gone}`,
    );
    let last: unknown[] = [];
    const done = await meanwhile(async () => {
      await stage.database.execute(
        sql`update users set kanidm_user_id = null, status = 'suspended', full_name = 'Gone' where user_id = ${gone}`,
      );
      last = await stage.users();
    }, '--remove-without-account');
    expect(done).toMatchObject({ code: 0 });
    expect(
      await stage.database.execute(sql`select from users where user_id = any(${[back, gone]}::uuid[])`),
    ).toBe(0);
    expect(await stage.run(restore(done.archive))).toMatchObject({ code: 0 });
    expect(await stage.users()).toEqual(last);
  });

  it('the figures are not counted meanwhile, and where they were all the same it changes nothing', async () => {
    const before = await stage.users();
    const done = await meanwhile(async () => {
      const skipped = await stage.run('cron run figures-rollup', {
        FUNCTIONS: 'auth,analytics',
        ...VARIABLES,
      });
      expect(skipped).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('running elsewhere') as unknown,
      });
      await refreshFigures(stage.database);
    });
    expect([done.code, done.stderr]).toEqual([1, expect.stringContaining('figures were counted meanwhile')]);
    expect(await stage.users()).toEqual(before);
  });

  it(`under its locks no statement reads or changes more than some thousand rows, of ${PEOPLE} people; SET NOT NULL reads them once`, async () => {
    await stage.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
      select tenant_id, 'many' || n || '@example.org', 'h', 'N' from tenants, generate_series(1, ${PEOPLE}::int) n where slug = 'acme'`);
    await openGate(stage.database);
    await stage.database.execute(sql`analyze users`);
    const session = await openPgSession(stage.db.url);
    let locked = false;
    const statements: { readonly rows: number; readonly text: string }[] = [];
    /** Of tables with a row for each of the people, in this transaction. */
    const rowsSoFar = async (): Promise<number> => {
      const [row] = await session.query(
        sql`select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del), 0)::int as rows
            from pg_stat_xact_user_tables where relname in ('users', 'sessions', 'sallyport_people', 'sallyport_links', 'sallyport_invitations',
              'sallyport_changes', 'sallyport_figures_deltas')`,
        Reads,
      );
      return row?.rows ?? 0;
    };
    const measured = async <T>(text: string, work: () => Promise<T>): Promise<T> => {
      if (!locked) return work();
      const before = await rowsSoFar();
      const done = await work();
      statements.push({ rows: (await rowsSoFar()) - before, text });
      return done;
    };
    const watched: typeof session = {
      ...session,
      query: (statement, row) => measured(statement.strings.join(''), () => session.query(statement, row)),
      execute: async (statement) => {
        const text = statement.strings.join('');
        if (text.startsWith('commit')) locked = false;
        const done = await measured(text, () => session.execute(statement));
        locked ||= text.includes('in access exclusive mode');
        return done;
      },
      script: (text) => measured(text, () => session.script(text)),
    };
    let changed = false;
    const beside: typeof session = {
      ...watched,
      query: async (statement, row) => {
        // After everybody was archived, and before the locks.
        if (!changed && statement.strings.join('').includes('as changed')) {
          changed = true;
          await stage.database.execute(
            sql`update users set failed_login_attempts = 3 where user_id in (select user_id from users where email like 'many%' limit 300)`,
          );
        }
        return watched.query(statement, row);
      },
    };
    const [gated] = await readGated();
    await drop({
      ...{ session: beside, gated: gated!, removing: false, archive: `${stage.folder}/bound.archive` },
      backup: { name: 'backup', ok: true, missing: 0, says: '', examples: [] },
      asked: { database: 'x' },
      recipient: await readRecipient(`${stage.folder}/one.pub`),
      patience: { clock: { now: () => 0 }, sleep: () => Promise.resolve(), waitMs: 1 },
    });
    await session.close();
    expect(statements.length).toBeGreaterThan(20);
    const many = statements.filter(({ rows }) => rows > 5 * MOST_LOCKED);
    expect(many).toEqual([
      { rows: expect.any(Number) as unknown, text: expect.stringContaining('SET NOT NULL') as unknown },
    ]);
    expect(many[0]?.rows).toBeLessThan(PEOPLE * 1.1);
    expect(statements.filter(({ rows }) => rows > 250).length).toBeGreaterThan(1);
  });
});

/** Of the job that a command runs. */
const VARIABLES = { PUBLIC_URL: 'https://app.example.org' };
