import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { createEngine, type Engine } from './engine.ts';
import { empty, statusesIn } from './tables.ts';

interface Requeued {
  readonly dry_run: boolean;
  readonly events: readonly string[];
}

/** The text of a stream that must contain this. */
const says = (part: string) => expect.stringContaining(part) as unknown as string;

describe('sallyport webhooks', () => {
  let db: MigratedDatabase;
  let env: Variables;
  let engine: Engine;
  let [applied, dead]: string[] = [];
  beforeAll(async () => {
    db = await DATABASE.start();
    env = { DATABASE_URL: db.url };
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    await empty(db.database);
    engine = createEngine(db.database, { mostAttempts: 1 });
    applied = await engine.arrive({ user: 'ann', payload: { userName: 'ann', password: 'hunter2' } });
    await engine.settle();
    engine.tuples.away = true;
    dead = await engine.arrive({ user: 'ben' });
    await engine.settle();
  });

  const statuses = async () => (await statusesIn(db.database)).map(({ status }) => status).sort();
  const webhooks = (...args: string[]) => sallyport(env, 'webhooks', ...args);
  const requeued = async (...args: string[]): Promise<Requeued> => {
    const { code, stdout, stderr } = await webhooks(...args, '--json');
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as Requeued;
  };

  it('list shows what was set aside and why, by status and by user', async () => {
    const text = await webhooks('list', '--status', 'dead');
    expect(text).toEqual({ code: 0, stderr: '', stdout: says(`${dead} `) });
    expect(text.stdout).toContain('(1 failed: away)');
    expect(text.stdout).not.toContain(applied);
    const { stdout } = await webhooks('list', '--user', 'ann', '--json');
    expect(JSON.parse(stdout)).toMatchObject([{ id: applied, subject: 'ann', status: 'applied' }]);
    expect(await webhooks('list', '--since', '2099-01-01')).toMatchObject({ stdout: 'no events\n' });
  });

  it('show prints one event with its payload, and no secret of it', async () => {
    const { code, stdout } = await webhooks('show', applied!, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id: applied, payload: { userName: 'ann' } });
    expect(stdout).not.toContain('hunter2');
    const unknown = '00000000-0000-4000-8000-000000000000';
    expect(await webhooks('show', unknown)).toMatchObject({ code: 1, stderr: says(`no event ${unknown}`) });
  });

  it('retry makes what was set aside due, and in a dry run only says which', async () => {
    expect(await requeued('retry', '--dead', '--dry-run')).toEqual({ dry_run: true, events: [dead] });
    expect(await statuses()).toEqual(['applied', 'dead']);
    expect(await requeued('retry', '--dead')).toEqual({ dry_run: false, events: [dead] });
    expect(await statuses()).toEqual(['applied', 'pending']);
  });

  it('retry of one event takes it when it failed, and points to replay when it was applied', async () => {
    const refused = await webhooks('retry', applied!);
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr: says('sallyport webhooks replay --user ann --type user.human.added'),
    });
    expect(await webhooks('retry', applied!, '--dry-run')).toMatchObject({ code: 1, stdout: '' });
    expect(await statuses()).toEqual(['applied', 'dead']);
    expect(await requeued('retry', dead!)).toEqual({ dry_run: false, events: [dead] });
    expect(await statuses()).toEqual(['applied', 'pending']);
    expect(await webhooks('retry', dead!)).toMatchObject({ code: 1, stderr: says('has not failed') });
    const unknown = '00000000-0000-4000-8000-000000000000';
    expect(await webhooks('retry', unknown)).toMatchObject({ code: 1, stderr: says(`no event ${unknown}`) });
  });

  it('retry does not wait for the next attempt of an event that failed and is not set aside yet', async () => {
    const patient = createEngine(db.database, { mostAttempts: 2 });
    patient.tuples.away = true;
    const failed = await patient.arrive({ user: 'cleo' });
    await patient.settle();
    expect(await requeued('retry', failed, '--dry-run')).toEqual({ dry_run: true, events: [failed] });
  });

  it('replay takes what was applied', async () => {
    expect(await requeued('replay', '--user', 'ann', '--dry-run')).toEqual({
      dry_run: true,
      events: [applied],
    });
    expect(await statuses()).toEqual(['applied', 'dead']);
    expect(await requeued('replay', '--type', 'user.human.added')).toEqual({
      dry_run: false,
      events: [applied],
    });
    expect(await statuses()).toEqual(['dead', 'pending']);
  });

  it('a value that cannot be read is a usage error', async () => {
    expect(await webhooks('list', '--since', 'yesterday')).toMatchObject({ code: 2, stderr: says('12h') });
    expect(await webhooks('list', '--limit', '0')).toMatchObject({ code: 2, stderr: says('from 1 to') });
  });
});

describe('the commands of the inbox and of jobs', () => {
  it.each([['webhooks list'], ['webhooks retry --dead'], ['cron list']])(
    '%s says that DATABASE_URL is missing',
    async (command) => {
      const others = {
        UPSTREAM_URL: 'http://127.0.0.1:1',
        OPENFGA_URL: 'http://127.0.0.1:1',
        OPENFGA_STORE_ID: '01J00000000000000000000000',
        ZITADEL_ISSUER_URL: 'http://127.0.0.1:1',
        ZITADEL_AUDIENCE: 'api',
      };
      const { code, stdout, stderr } = await sallyport(others, ...command.split(' '));
      expect([code, stdout, stderr]).toEqual([1, '', says('DATABASE_URL is missing')]);
    },
  );

  it('an unreachable database is a failure that names it without its password', async () => {
    const url = 'postgres://sally:hunter2@127.0.0.1:1/port?sslmode=disable';
    const { code, stderr } = await sallyport({ DATABASE_URL: url }, 'webhooks', 'list');
    expect([code, stderr]).toEqual([1, says('127.0.0.1:1')]);
    expect(stderr).not.toContain('hunter2');
  });

  it.each([['webhooks retry'], ['webhooks reconcile'], ['cron run']])(
    '%s --help shows examples',
    async (name) => {
      const { code, stdout } = await sallyport({}, ...name.split(' '), '--help');
      expect([code, stdout]).toEqual([0, says(`Examples:\n  $ sallyport ${name}`)]);
    },
  );
});
