import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { PROGRAM, sallyport, type Variables } from '../support/sallyport.ts';
import { groundOn } from './ground.ts';

describe('sallyport migration, tenants and audit', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await DATABASE.start();
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    for (const table of [
      sql`delete from tenants`,
      sql`delete from sallyport_switches`,
      sql`delete from sallyport_audit`,
    ])
      await db.database.execute(table);
    const { addTenant, addUser } = groundOn(db.database);
    await addTenant('acme');
    await addTenant('birch');
    for (const tenant of ['acme', 'birch'])
      for (let n = 0; n < 3; n += 1) await addUser({ tenant, email: `user${n}@${tenant}.example.org` });
    await db.database.execute(
      sql`update users set auth_method = 'dual', kanidm_user_id = user_id, migration_completed_at = now()`,
    );
  });

  const run = (line: string, more: Variables = {}) =>
    sallyport({ DATABASE_URL: db.url, ...more }, ...line.split(' '));
  const json = async (line: string): Promise<unknown> => {
    const answer = await run(`${line} --json`);
    expect(answer).toMatchObject({ code: 0, stderr: '' });
    return JSON.parse(answer.stdout);
  };
  const audited = async (what: string) =>
    (await json(`audit list --what ${what}`)) as Record<string, unknown>[];

  it('a deadline is the end of its day in UTC, or a moment; a past one takes --yes; clear takes it away', async () => {
    expect(await json('migration deadline set 2999-12-31 --tenant acme --dry-run')).toMatchObject({
      changed: 1,
      dry_run: true,
    });
    expect(await json('migration deadline set 2999-12-31 --tenant acme')).toEqual({
      deadline: '2999-12-31T23:59:59.999Z',
      tenants: ['acme'],
      changed: 1,
      dry_run: false,
    });
    expect(await json('tenants list')).toMatchObject([
      { slug: 'acme', deadline: '2999-12-31T23:59:59.999Z' },
      { slug: 'birch', deadline: null },
    ]);
    expect(await json('migration deadline set 2999-01-01T12:00:00+02:00 --all')).toMatchObject({
      deadline: '2999-01-01T10:00:00.000Z',
      changed: 2,
    });
    expect(await run('migration deadline set 2020-01-01 --all')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--yes') as unknown,
    });
    expect(await json('migration deadline set 2020-01-01 --all --yes')).toMatchObject({ changed: 2 });
    expect(await json('migration deadline clear --tenant birch')).toMatchObject({ changed: 1 });
    expect(await audited('deadline')).toHaveLength(6);
    for (const line of [
      'set tomorrow --all',
      'set 2999-02-30 --all',
      'set 2999-01-01',
      'set 2999-01-01 --all --tenant acme',
      'clear',
    ])
      expect((await run(`migration deadline ${line}`)).code).toBe(2);
    expect(await run('migration deadline set 2999-01-01 --tenant nowhere')).toMatchObject({ code: 1 });
  });

  it('pause and resume are a switch that is recorded', async () => {
    expect(await json('migration pause --dry-run')).toEqual({ paused: false, changed: true, dry_run: true });
    expect(await json('migration pause')).toEqual({ paused: true, changed: true, dry_run: false });
    expect(await json('migration pause')).toMatchObject({ paused: true, changed: false });
    expect(await json('migration resume')).toMatchObject({ paused: false, changed: true });
    expect([await audited('paused'), await audited('resumed')].map(({ length }) => length)).toEqual([1, 1]);
  });

  it('a rollback of one tenant does what its preview has counted, touches that tenant alone, and is undone', async () => {
    const before = await groundOn(db.database).rows();
    const preview = (await json('migration rollback --tenant acme --clear-links --dry-run')) as object;
    const done = (await json('migration rollback --tenant acme --clear-links')) as { run: string };
    expect(done).toEqual({ ...preview, run: done.run, dry_run: false });
    expect(done).toMatchObject({ rolled_back: 3, links_cleared: 3, kept: 0 });
    const after = await groundOn(db.database).rows();
    const of = (rows: typeof after, tenant: string) => rows.filter(({ email }) => email.includes(tenant));
    expect(of(after, 'birch')).toEqual(of(before, 'birch'));
    expect(
      of(after, 'acme').every(
        ({ auth_method, kanidm_user_id, completed }) =>
          auth_method === 'password' && kanidm_user_id === null && !completed,
      ),
    ).toBe(true);
    expect(await json(`migration rollback --undo ${done.run} --dry-run`)).toMatchObject({ restored: 3 });
    expect(await json(`migration rollback --undo ${done.run}`)).toMatchObject({ restored: 3, kept: 0 });
    expect(await groundOn(db.database).rows()).toEqual(before);
    expect(await audited('rollback')).toHaveLength(2);
    expect(Object.keys((await audited('rollback'))[0]!)).toEqual(
      expect.arrayContaining(['at', 'who', 'what', 'subject', 'from', 'run']),
    );
    expect((await run('migration rollback')).code).toBe(2);
    expect((await run(`migration rollback --undo ${done.run} --all`)).code).toBe(2);
  });

  it("a tenant's own word is kept with who gave it", async () => {
    expect(await json('tenants confirm acme --by Carol')).toMatchObject({
      tenant: 'acme',
      confirmed_by: 'Carol',
      dry_run: false,
    });
    expect(await json('tenants list')).toMatchObject([
      { slug: 'acme', confirmed_by: 'Carol' },
      { confirmed_at: null },
    ]);
    expect(await run('tenants confirm nowhere')).toMatchObject({ code: 1 });
  });

  describe('finalise', () => {
    let kanidm: Kanidm;
    beforeAll(async () => {
      kanidm = await startKanidm();
      kanidm.syncs.make('sallyport_sync');
    });
    afterAll(() => kanidm.close());
    const variables = () => ({ KANIDM_ISSUER_URL: kanidm.issuer('api'), KANIDM_URL: kanidm.url });

    it('prints the command without a token, and ends the sync account with one', async () => {
      const line = 'migration finalise --sync-account sallyport_sync';
      const printed = await run(line, variables());
      expect(printed).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^kanidm system sync finalise sallyport_sync/) as unknown,
      });
      expect(kanidm.syncs.get('sallyport_sync')).toBeDefined();
      const child = spawn(process.execPath, ['--', PROGRAM, ...line.split(' ')], {
        env: { PATH: process.env['PATH'] ?? '', ...variables() },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child.stdin.end(`${kanidm.adminToken}\n`);
      const [stdout] = await Promise.all([text(child.stdout), once(child, 'close')]);
      expect([child.exitCode, stdout]).toEqual([
        0,
        expect.stringContaining('sallyport_sync is ended') as unknown,
      ]);
      expect(kanidm.syncs.get('sallyport_sync')).toBeUndefined();
    });
  });
});
