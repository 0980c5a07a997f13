import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FULL } from '../support/scale.ts';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { seed } from '../../dev/seed.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { PROGRAM, sallyport, type Variables } from '../support/sallyport.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** In a folder of its own, so that no other .env is there. */
async function inFolder(cwd: string, env: Variables, ...args: readonly string[]) {
  const child = spawn(process.execPath, ['--', PROGRAM, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

describe('a command asks only for the variables it uses', () => {
  const needs: Readonly<Record<string, readonly string[]>> = {
    'db status': ['DATABASE_URL'],
    'db migrate': ['DATABASE_URL'],
    'cron list': ['DATABASE_URL'],
    'cron run webhooks-prune': ['DATABASE_URL'],
    'cron run webhooks-reconcile': ['DATABASE_URL'],
    'cron run revocations-remark': ['DATABASE_URL'],
    'cron run webhooks-apply': ['DATABASE_URL', 'OPENFGA_URL', 'OPENFGA_STORE_ID'],
    'webhooks list': ['DATABASE_URL'],
    'webhooks retry --dead': ['DATABASE_URL'],
    'webhooks replay --since 1d': ['DATABASE_URL'],
    'webhooks reconcile': ['DATABASE_URL'],
    'tenants list': ['DATABASE_URL'],
    'tenants sync': ['DATABASE_URL', 'KANIDM_ISSUER_URL'],
    'users export': ['DATABASE_URL'],
    'users provision': ['DATABASE_URL', 'KANIDM_ISSUER_URL'],
    'users runs': ['DATABASE_URL'],
    'users show x@example.org': ['DATABASE_URL'],
    'audit list': ['DATABASE_URL'],
    'migration pause': ['DATABASE_URL'],
    'migration rollback --all': ['DATABASE_URL'],
    'migration finalise --sync-account x': ['KANIDM_ISSUER_URL'],
    'fga bootstrap': ['OPENFGA_URL'],
    'fga tuples export': ['OPENFGA_URL', 'OPENFGA_STORE_ID'],
    'rules diff': ['ACCESS_RULES_PREV'],
    'rules sync': ['ACCESS_RULES_PREV'],
    'keys generate --add': ['ASSERTION_KEYS'],
  };

  it.each(Object.entries(needs))('%s: %j, each with an example', async (line, wanted) => {
    const { code, stderr } = await sallyport({}, ...line.split(' '));
    expect(code).toBe(1);
    const missing = [...stderr.matchAll(/([A-Z_]+) is missing: .*, as in ([A-Z_]+)=/g)];
    expect(missing.map(([, name]) => name)).toEqual(wanted);
    expect(missing.map(([, , example]) => example)).toEqual(wanted);
  });

  it.each(['rules check', 'rules explain GET /public/x', 'keys generate', 'completion bash'])(
    '%s: none',
    async (line) => {
      expect(await sallyport({}, ...line.split(' '))).toMatchObject({ code: 0 });
    },
  );
});

describe('commands of the database', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await DATABASE.start();
  });
  afterAll(() => db.close());

  // What they do not use may even be wrong.
  const wrong = {
    UPSTREAM_URL: 'x',
    ACCESS_RULES: '[{',
    ENVIRONMENT: 'production',
    RATE_LIMIT: 'x',
    OPENFGA_URL: 'x',
  };

  it.each([
    'cron list --json',
    'cron run webhooks-prune --json',
    'cron run webhooks-reconcile --json',
    'webhooks list --json',
    'db status --json',
  ])('%s works with DATABASE_URL alone', async (line) => {
    const answer = await sallyport({ ...wrong, DATABASE_URL: db.url }, ...line.split(' '));
    expect(answer).toMatchObject({ code: 0, stderr: '' });
    expect(() => JSON.parse(answer.stdout) as unknown).not.toThrow();
  });

  it('marks of revoked users need the store that production shares', async () => {
    const production = { ...wrong, OPENFGA_URL: 'http://127.0.0.1:1' };
    const ids = { OPENFGA_STORE_ID: '01J00000000000000000000000', ZITADEL_ISSUER_URL: 'http://127.0.0.1:1' };
    const { code, stderr } = await sallyport(
      { ...production, ...ids, DATABASE_URL: db.url },
      ...['cron', 'run', 'webhooks-apply'],
    );
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: REDIS_URL is missing: .*\n$/) as unknown,
    ]);
  });
});

describe.skipIf(!FULL)('what the system refuses is told in words, without a stack', () => {
  let variables: Variables;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const fga = await startOpenFga();
    const { storeId } = await seed({ url: fga.url });
    variables = { OPENFGA_URL: fga.url, OPENFGA_STORE_ID: storeId };
    close = () => fga.close();
    await mkdir(join(folder, 'a-folder'));
  });
  afterAll(() => close());

  const NOWHERE = '/no/such/folder/backup.jsonl';
  it.each([
    [`fga tuples export ${NOWHERE}`, /cannot write \/no\/such\/folder.*no such file or folder.*\(ENOENT\)/],
    [`fga tuples import ${NOWHERE}`, /cannot read \/no\/such\/folder.*\(ENOENT\)/],
    ['fga tuples export a-folder', /cannot write a-folder: it is a folder: name a file \(EISDIR\)/],
    ['fga tuples import a-folder', /cannot read a-folder: it is a folder: name a file \(EISDIR\)/],
    ['fga bootstrap --model nope.fga', /cannot read nope\.fga: there is no such file/],
    ['rules check a-folder', /cannot read a-folder: it is a folder/],
    ['rules explain GET / --rules nope.json', /cannot read nope\.json: there is no such file/],
    ['rules diff --previous nope.json', /cannot read nope\.json: there is no such file/],
    ['keys generate --add nope.json', /cannot read nope\.json: there is no such file/],
    ['db status --env-file a-folder', /cannot read the variables in a-folder: it is a folder/],
    ['db status --env-file nope.env', /cannot read the variables in nope\.env: there is no such file/],
  ])('%s', async (line, words) => {
    for (const more of [[], ['--json']]) {
      if (line.startsWith('keys') && more.length > 0) continue;
      const { code, stdout, stderr } = await inFolder(folder, variables, ...line.split(' '), ...more);
      expect([code, stderr]).toEqual([1, expect.stringMatching(words) as unknown]);
      expect(stderr).not.toMatch(/^\s+at /m);
      if (more.length === 0) expect(stdout).toBe('');
      else expect(JSON.parse(stdout)).toEqual({ ok: false, error: expect.stringMatching(words) as unknown });
    }
    // An export that failed may be resumed; an import that read nothing leaves nothing.
    if (line.includes('import')) expect(await readdir(folder)).toEqual(['a-folder']);
    else
      for (const left of ['partial', 'checkpoint'])
        await rm(join(folder, `a-folder.${left}`), { force: true });
  });

  it('a full disk, while the result is written', async () => {
    const child = spawn(process.execPath, [PROGRAM, '--env-file=/dev/null', 'keys', 'generate'], {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    });
    const [stderr] = await Promise.all([text(child.stderr!), once(child, 'close')]);
    expect([child.exitCode, stderr]).toEqual([
      1,
      'error: cannot write the result: no space is left on the disk: make room, then do it again (ENOSPC)\n',
    ]);
  });
});

describe.skipIf(!FULL)('with --json', () => {
  it.each([
    ['db status', 1, 'DATABASE_URL is missing'],
    ['cron run nope', 2, 'there is no job nope'],
    ['webhooks list --limit 0', 2, 'from 1 to'],
    ['webhooks list --nope', 2, 'unknown option'],
  ])('%s prints its failure as JSON too', async (line, code, words) => {
    const answer = await sallyport({}, ...line.split(' '), '--json');
    expect(answer).toMatchObject({ code, stderr: expect.stringContaining(words) as unknown });
    expect(JSON.parse(answer.stdout)).toEqual({
      ok: false,
      error: expect.stringContaining(words) as unknown,
    });
  });

  it('a result that says no stays one document', async () => {
    const { code, stdout } = await sallyport({ ACCESS_RULES: '[{}]' }, 'rules', 'check', '--json');
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({ ok: false, errors: 3 }) as unknown,
    ]);
  });
});

describe('variables of a file', () => {
  it('are read from .env where it is there, below the environment; --env-file names another', async () => {
    const cwd = join(folder, 'dotenv');
    await mkdir(cwd);
    await writeFile(join(cwd, '.env'), 'ACCESS_RULES="[]"\nREDIS_URI=hush-hush\n');
    await writeFile(join(cwd, 'other.env'), "ACCESS_RULES='[{}]'\n");
    const check = async (env: Variables, ...args: string[]) => {
      const { stdout, stderr } = await inFolder(cwd, env, 'rules', 'check', '--json', ...args);
      return { errors: (JSON.parse(stdout) as { errors: number }).errors, stderr };
    };
    const dotenv = await check({});
    expect(dotenv.errors).toBe(0);
    expect(dotenv.stderr).toContain('warning: REDIS_URI is not read: is REDIS_URL meant?');
    expect(dotenv.stderr).not.toContain('hush');
    expect(await check({}, '--env-file', 'other.env')).toEqual({ errors: 3, stderr: '' });
    expect((await check({ ACCESS_RULES: '[{}]' })).errors).toBe(3);
    expect(await readdir(cwd)).toHaveLength(2);
  });
});

describe('help', () => {
  it.each(['help rules check', 'rules help check', 'rules check --help'])('%s', async (line) => {
    const { code, stdout } = await sallyport({}, ...line.split(' '));
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Usage: sallyport rules check /) as unknown]);
  });

  it.each([
    ['help fga tuples export', /^Usage: sallyport fga tuples export /],
    ['fga help tuples import', /^Usage: sallyport fga tuples import /],
    ['fga tuples help import', /^Usage: sallyport fga tuples import /],
    ['help', /^Usage: sallyport \[options\] \[command\]/],
  ])('%s goes as deep as the groups', async (line, usage) => {
    expect(await sallyport({}, ...line.split(' '))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(usage) as unknown,
    });
  });

  it.each([
    ['help rules chek', 'did you mean check?'],
    ['help ruls check', 'did you mean rules?'],
    ['rules chek', 'Did you mean check?'],
    ['ruls check', 'Did you mean rules?'],
    ['check', 'Did you mean sallyport rules check?'],
    ['migrate', 'Did you mean sallyport db migrate?'],
  ])('%s is a usage mistake that names the nearest', async (line, words) => {
    const { code, stdout, stderr } = await sallyport({}, ...line.split(' '));
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(words) as unknown]);
  });
});
