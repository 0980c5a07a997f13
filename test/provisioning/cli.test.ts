/** One database is carried to each provider and back. Long because the commands build upon each other. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport } from '../support/sallyport.ts';
import { groundOn } from './ground.ts';
import { PROVIDERS, type Provider } from './stand-ins.ts';

const PASSWORD = 'correct horse battery';

/** Lines of JSON, the last one first. */
function linesIn(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .reverse()
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(PROVIDERS)('sallyport users, at %s', (_name, start) => {
  let provider: Provider;
  let db: MigratedDatabase;
  let folder: string;
  let printed = '';
  let bcrypt = '';
  beforeAll(async () => {
    [provider, db] = await Promise.all([start(), DATABASE.start()]);
    folder = await mkdtemp(join(tmpdir(), 'sallyport-users-'));
    bcrypt = await hash(PASSWORD, 10);
    const { addTenant, addUser } = groundOn(db.database);
    await addTenant('acme');
    await addTenant('birch');
    for (let n = 0; n < 20; n += 1)
      await addUser({
        tenant: n % 4 === 0 ? 'birch' : 'acme',
        email: `user${n}@example.org`,
        role: n === 1 ? 'admin' : 'user',
        hash: bcrypt,
      });
    await addUser({ tenant: 'acme', email: 'Bob@example.org', hash: bcrypt });
    await addUser({ tenant: 'acme', email: 'bob@example.org', hash: bcrypt });
    await addUser({ tenant: 'acme', email: 'no address', hash: bcrypt });
    await addUser({ tenant: 'birch', email: 'away@example.org', status: 'suspended', hash: bcrypt });
  });
  afterAll(async () => {
    await Promise.all([provider.close(), db.close(), rm(folder, { recursive: true })]);
  });

  async function run(line: string, ...more: string[]) {
    const answer = await sallyport(
      { DATABASE_URL: db.url, ...provider.variables },
      ...line.split(' '),
      ...more,
    );
    printed += answer.stdout + answer.stderr;
    return answer;
  }
  const json = async (line: string) => {
    const { code, stdout, stderr } = await run(line);
    return { code, stderr, last: linesIn(stdout)[0], lines: linesIn(stdout) };
  };
  const rows = () => groundOn(db.database).rows();

  it('refuses without groups and names the command that makes them; that one previews, makes and then changes nothing', async () => {
    expect(await run('users provision')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('sallyport tenants sync') as unknown,
    });
    const preview = JSON.parse((await run('tenants sync --dry-run --json')).stdout) as object;
    const synced = JSON.parse((await run('tenants sync --json')).stdout) as object;
    expect(synced).toEqual({ ...preview, dry_run: false });
    expect(synced).toMatchObject({ mapped: 4, failed: 0 });
    expect(JSON.parse((await run('tenants sync --json')).stdout)).toMatchObject({
      created: 0,
      mapped: 0,
      unchanged: 4,
    });
    expect(JSON.parse((await run('tenants list --json')).stdout)).toMatchObject([
      { slug: 'acme', groups: 2 },
      { slug: 'birch', groups: 2, users: 6 },
    ]);
  });

  it('exports the list of the seed, by slug and address, to a file that its owner alone reads', async () => {
    const file = join(folder, 'users.json');
    await writeFile(file, 'old', { mode: 0o644 });
    expect((await run(`users export ${file}`)).code).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const users = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>[];
    expect(users).toHaveLength(23);
    expect(Object.keys(users[0]!)).toEqual([
      'user_id',
      'tenant_id',
      'tenant_slug',
      'email',
      'full_name',
      'role',
      'status',
      'has_kanidm',
    ]);
    const keys = users.map(({ tenant_slug, email }) => `${String(tenant_slug)} ${String(email)}`);
    expect(keys).toEqual([...keys].sort());
    const lines = await run('users export --tenant birch --format jsonl');
    expect(linesIn(lines.stdout)).toHaveLength(5);
  });

  it('does what its preview has counted, prints the run first and the counts last', async () => {
    const preview = await json('users provision --dry-run --json');
    expect(await provider.directory.find((await rows()).map(({ user_id }) => user_id))).toMatchObject({
      people: [],
    });
    const done = await json('users provision --json');
    expect([preview.code, done.code]).toEqual([0, 0]);
    const id = done.lines.at(-1)!['run'];
    expect(done.last).toEqual({
      run: id,
      created: 20,
      linked: 0,
      collisions: 2,
      refused: 1,
      failed: 0,
      skipped: 1,
    });
    expect(preview.last).toEqual({ ...done.last, run: null, dry_run: true });
    const people = await provider.directory.find((await rows()).map(({ user_id }) => user_id));
    expect(people).toMatchObject({ outcome: 'found', people: { length: 20 } });
    expect(
      (await rows()).filter(({ link, user_id, completed }) => link === user_id && !completed),
    ).toHaveLength(20);
    expect(JSON.parse((await run('users runs --json')).stdout)).toMatchObject([
      { run: id, state: 'done', counts: { created: 20, collision: 2, refused: 1 } },
      { state: 'refused' },
    ]);
  });

  it('the old password works there at once where hashes go along', async () => {
    const [one] = (await rows()).filter(({ link }) => link !== null);
    if (provider.signsIn === null) return;
    expect(await provider.signsIn(one!.user_id, PASSWORD)).toBe(true);
    expect(await provider.signsIn(one!.user_id, 'wrong')).toBe(false);
  });

  it('shows one person through both doors', async () => {
    const shown = JSON.parse((await run('users show user1@example.org --json')).stdout) as Record<
      string,
      never
    >;
    expect(shown).toMatchObject({
      tenant: 'acme',
      auth_method: 'dual',
      password: 'bcrypt of cost 10',
      provider: { state: 'found' },
      links: { length: 1 },
      fails: { password: [] },
      runs: [{ state: 'created' }],
    });
    const text = await run('users show away@example.org');
    expect(text.stdout).toMatch(/sign-in by password: fails: the user is suspended/);
    expect(await run('users show nobody@example.org')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no user nobody@example.org') as unknown,
    });
  });

  it('reconcile is 0 when both sides agree, 1 while they differ, and mends', async () => {
    expect(await json('users reconcile --json')).toMatchObject({ code: 0, last: { missing: 0, left: 0 } });
    const [one, two] = (await rows()).filter(({ link }) => link !== null);
    await provider.directory.update(one!.user_id, { mail: { address: 'else@example.org', verified: true } });
    await provider.directory.disable(two!.user_id);
    expect(await json('users reconcile --json')).toMatchObject({
      code: 1,
      last: { mail: 1, state: 1, left: 2, fixed: 0 },
    });
    expect(await json('users reconcile --fix --dry-run --json')).toMatchObject({
      code: 1,
      last: { left: 2, fixed: 0 },
    });
    expect(await json('users reconcile --fix --json')).toMatchObject({
      code: 0,
      last: { left: 0, fixed: 2 },
    });
    expect((await run('users reconcile')).code).toBe(0);
  });

  it('rolls back exactly what the run made', async () => {
    const { run: id } = (
      JSON.parse((await run('users runs --json')).stdout) as { run: string; kind: string; state: string }[]
    ).find(({ kind, state }) => kind === 'provision' && state === 'done')!;
    const preview = JSON.parse((await run(`users rollback ${id} --dry-run --json`)).stdout) as object;
    const answer = await run(`users rollback ${id} --json`);
    expect(answer.code).toBe(0);
    expect(JSON.parse(answer.stdout)).toEqual({ ...preview, dry_run: false });
    expect(preview).toMatchObject({ removed: 20, unlinked: 0, kept: 0 });
    expect(await provider.directory.find((await rows()).map(({ user_id }) => user_id))).toMatchObject({
      people: [],
    });
    expect(
      (await rows()).every(
        ({ auth_method, link, synced, kanidm_user_id }) =>
          auth_method === 'password' && link === null && !synced && kanidm_user_id === null,
      ),
    ).toBe(true);
  });

  it('takes the people of a file, up to a limit', async () => {
    const file = join(folder, 'some.jsonl');
    const ids = (await rows()).filter(({ email }) => email.startsWith('user')).map(({ user_id }) => user_id);
    await writeFile(
      file,
      ids
        .slice(0, 5)
        .map((user_id) => JSON.stringify({ user_id }))
        .join('\n'),
    );
    const preview = await json(`users provision ${file} --limit 3 --dry-run --json`);
    const done = await json(`users provision ${file} --limit 3 --json`);
    expect(done).toMatchObject({ code: 0, last: { created: 3, skipped: 0 } });
    expect(preview.last).toEqual({ ...done.last, run: null, dry_run: true });
    expect(await run(`users provision ${join(folder, 'users.json')}x`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no such file') as unknown,
    });
  });

  it('shows a person while the provider is away', async () => {
    const away = {
      ...provider.variables,
      KANIDM_URL: 'http://127.0.0.1:1',
      ZITADEL_API_URL: 'http://127.0.0.1:1',
    };
    const { code, stderr } = await sallyport(
      { DATABASE_URL: db.url, ...away },
      'users',
      'show',
      'user1@example.org',
    );
    expect([code, stderr]).toEqual([0, '']);
  });

  it('usage mistakes are 2, unknown runs and tenants 1', async () => {
    expect((await run('users provision --limit none')).code).toBe(2);
    expect((await run('users rollback nonsense')).code).toBe(2);
    expect((await run(`users provision --resume ${randomUUID()} --limit 1`)).code).toBe(2);
    expect(await run(`users provision --resume ${randomUUID()}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no provisioning run') as unknown,
    });
    expect(await run(`users rollback ${randomUUID()}`)).toMatchObject({ code: 1 });
    expect(await run('users provision --tenant nowhere')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no tenant nowhere') as unknown,
    });
  });

  it('excluded people are settled, until they are included', async () => {
    expect((await run('users exclude user9@example.org --reason', 'left the company')).code).toBe(0);
    const left = async () => (await json('users provision --dry-run --json')).last?.['created'];
    const without = Number(await left());
    expect((await run('users include user9@example.org')).code).toBe(0);
    expect(await left()).toBe(without + 1);
    const { stdout } = await run('audit list --what excluded --json');
    expect(JSON.parse(stdout)).toMatchObject([
      { what: 'excluded', from: 'cli', detail: { reason: 'left the company' } },
    ]);
  });

  it('no hash was printed or kept, and no token', async () => {
    const kept = await db.database.query(
      sql`select (select json_agg(l)::text from sallyport_ledger l) || (select json_agg(a)::text from sallyport_audit a)
            || (select coalesce(json_agg(p)::text, '') from sallyport_people p) || (select json_agg(r)::text from sallyport_runs r) as text`,
      { parse: (row) => (row as { text: string }).text },
    );
    for (const secret of [
      bcrypt,
      '$2b$',
      provider.variables['KANIDM_TOKEN'] ?? '',
      provider.variables['ZITADEL_PROVISIONING_TOKEN'] ?? '',
    ].filter((text) => text !== ''))
      expect((printed + kept.join()).includes(secret)).toBe(false);
    expect(printed.length).toBeGreaterThan(1_000);
  });
});
