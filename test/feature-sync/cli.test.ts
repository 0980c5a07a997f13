import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { SERVERS } from '../fga/servers.ts';
import type { OpenFgaService } from '../services/openfga.ts';
import { sallyport, spawnSallyport } from '../support/sallyport.ts';
import { booksOf } from './books.ts';
import { many, shown } from './change.ts';
import type { Ground } from './ground.ts';
import { tuple } from './memory.ts';
import { rulesFile } from './rules.ts';
import { setStage } from './stage.ts';
import { DATABASES, type TestDatabase } from './stores.ts';

const PAIR = { fga: SERVERS[0]!, postgres: DATABASES[1]! };
const ANOTHER = '00000000-0000-4000-8000-000000000000';

describe.skipIf(PAIR.postgres.missing)('sallyport rules sync', () => {
  let server: OpenFgaService;
  let tables: TestDatabase;
  let ground: Ground;
  setStage(PAIR, (stage) => {
    ({ server, tables, ground } = stage);
  });

  const variables = (before: Record<string, string>, after: Record<string, string>) => ({
    OPENFGA_URL: server.url,
    OPENFGA_STORE_ID: ground.storeId,
    DATABASE_URL: tables.url,
    ACCESS_RULES_PREV: rulesFile(before),
    ACCESS_RULES: rulesFile(after),
  });

  it('previews, renames with or without the type in the name, and prints the line that undoes it', async () => {
    await ground.fill(many('a', 0, 3));
    const env = variables({ x: 'feature:a' }, { x: 'b' });
    const preview = await sallyport(env, 'rules', 'sync', '--dry-run');
    expect(preview).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('3 tuples to write, 3 to delete') as unknown,
    });
    expect(await ground.shown()).toEqual(shown(many('a', 0, 3)));
    const done = await sallyport(env, 'rules', 'sync');
    expect(done.code).toBe(0);
    expect(await ground.shown()).toEqual(shown(many('b', 0, 3)));
    const run = /sallyport rules restore ([\w-]{36})/.exec(done.stdout)?.[1] ?? '';
    expect((await sallyport(env, 'rules', 'restore', run)).code).toBe(0);
    expect(await ground.shown()).toEqual(shown(many('a', 0, 3)));
  });

  it('previews a restore with what it then does, although another run holds the lease, and changes nothing', async () => {
    await ground.fill([...many('a', 0, 3), tuple('user:1 viewer feature:b')]);
    const env = variables({ x: 'a', y: 'b' }, { x: 'b', y: 'b' });
    const done = await sallyport(env, 'rules', 'sync', '--allow-widening', '--json');
    const { run } = JSON.parse(done.stdout) as { run: string };
    const [held, books] = [await ground.shown(), await booksOf(tables)];
    await tables.query(
      `insert into sallyport_leases values ('feature sync', '${ANOTHER}', now() + interval '1 hour')
       on conflict (name) do update set run_id = excluded.run_id, expires_at = excluded.expires_at`,
    );
    const preview = await sallyport(env, 'rules', 'restore', run, '--dry-run', '--json', '--wait', '0');
    const counts = { run, written: 3, left_out: 0, deleted: 2, already: false };
    expect(preview.code).toBe(0);
    expect(JSON.parse(preview.stdout)).toEqual({ dry_run: true, ...counts });
    expect([await ground.shown(), await booksOf(tables)]).toEqual([held, books]);
    const leases = await tables.query('select run_id from sallyport_leases where expires_at > now()');
    expect(leases.rows).toEqual([{ run_id: ANOTHER }]);
    const refused = await sallyport(env, 'rules', 'restore', run, '--wait', '0');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(`run ${ANOTHER}`)]);
    await tables.query('delete from sallyport_leases');
    const restored = await sallyport(env, 'rules', 'restore', run, '--json');
    expect(JSON.parse(restored.stdout)).toEqual({ dry_run: false, ...counts });
  });

  it('exits 1 and changes nothing when somebody would gain, naming the feature and how many', async () => {
    await ground.fill([...many('a', 0, 3), tuple('user:z viewer feature:b')]);
    const env = variables({ x: 'a', y: 'b' }, { x: 'c', y: 'c' });
    const refused = await sallyport(env, 'rules', 'sync');
    expect(refused).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('widens feature:c: 4 users would gain viewer') as unknown,
    });
    expect((await ground.shown()).filter((line) => line.endsWith('feature:c'))).toEqual([]);
    expect((await sallyport(env, 'rules', 'sync', '--allow-widening')).code).toBe(0);
  });

  it('says what is missing instead of doing nothing', async () => {
    // An empty variable is an absent one.
    const noPrevious = { ...variables({}, { x: 'a' }), ACCESS_RULES_PREV: '' };
    expect(await sallyport(noPrevious, 'rules', 'sync')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ACCESS_RULES_PREV') as unknown,
    });
    const noDatabase = { ...variables({ x: 'a' }, { x: 'b' }), DATABASE_URL: '' };
    expect(await sallyport(noDatabase, 'rules', 'sync')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('DATABASE_URL') as unknown,
    });
  });

  it('says what to do when the database is away, and changes nothing', async () => {
    await ground.fill(many('a', 0, 3));
    const away = {
      ...variables({ x: 'a' }, { x: 'b' }),
      DATABASE_URL: 'postgres://postgres@127.0.0.1:1/postgres',
    };
    expect(await sallyport(away, 'rules', 'sync')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: .*ECONNREFUSED\nnothing is lost: look at DATABASE_URL/,
      ) as unknown,
    });
    expect(await ground.shown()).toEqual(shown(many('a', 0, 3)));
  });

  // killed.test.ts kills in every state.
  it('killed with SIGKILL while it copies, the next one goes on', async () => {
    await ground.fill(many('a', 0, 6_000));
    const env = variables({ x: 'a' }, { x: 'b' });
    const victim = spawnSallyport(env, 'rules', 'sync');
    const copying = `select 1 from sallyport_runs where state = 'expanding' and progress > 400`;
    while (victim.exitCode === null && (await tables.query(copying)).rows.length === 0);
    expect(victim.exitCode, 'it was still running').toBeNull();
    const gone = once(victim, 'exit');
    victim.kill('SIGKILL');
    await gone;
    expect((await sallyport(env, 'rules', 'sync')).code).toBe(0);
    expect(await ground.shown()).toEqual(shown(many('b', 0, 6_000)));
  });
});
