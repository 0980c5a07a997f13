import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildFailed, readChild, runChild } from '../../cli/children/child.ts';
import { postgresVariables } from '../../cli/children/postgres.ts';
import { takeVariables } from '../../cli/terminal.ts';
import { linuxProcesses } from '../../shared/adapters/node/processes.ts';

const LONG_MS = 600_000;
const node = (script: string, more: object = {}) => ({
  program: process.execPath,
  args: ['-e', script],
  timeoutMs: LONG_MS,
  ...more,
});

describe('a child process', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-children-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('takes its arguments as they are, whatever a shell would make of them', async () => {
    const args = [
      '-e',
      'process.stdout.write(JSON.stringify(process.argv.slice(1)))',
      '--',
      '$HOME; touch x',
      "it's `id`",
    ];
    expect(JSON.parse(await runChild({ program: process.execPath, args, timeoutMs: LONG_MS }))).toEqual([
      '$HOME; touch x',
      "it's `id`",
    ]);
  });

  it('fails with its code and its last lines, without secrets and control characters, which go to the log as well', async () => {
    const logged: string[] = [];
    const failing = runChild(
      node(
        "for (let n = 1; n < 9; n++) console.error('line ' + n); console.error('\\u001b[31mwrong: ' + process.env.PGPASSWORD); process.exit(3)",
        {
          variables: { PGPASSWORD: 'Grendel-7' },
          log: (line: string) => logged.push(line),
        },
      ),
    );
    const error = await failing.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ChildFailed);
    expect((error as ChildFailed).exitCode).toBe(3);
    expect((error as ChildFailed).message).toMatch(
      /^node ended with 3: line 6\n {2}line 7\n {2}line 8\n {2} \[31mwrong: …$/,
    );
    expect(logged).toHaveLength(9);
    expect(logged.join('\n')).not.toContain('Grendel');
  });

  it('names a program that is not installed', async () => {
    await expect(runChild({ program: 'no-such-program', args: [], timeoutMs: LONG_MS })).rejects.toThrow(
      'no-such-program is needed, and is not installed here',
    );
  });

  it('is ended with those that it started when it takes too long, and when it is aborted', async () => {
    const script = join(folder, 'parent.sh');
    writeFileSync(script, `#!/bin/sh\nsleep 600 &\necho $! > "$1"\nwait\n`);
    chmodSync(script, 0o755);
    const abort = new AbortController();
    const ways = [
      { file: join(folder, 'slow'), more: { timeoutMs: 1_500 }, says: /took longer than 2 s/ },
      {
        file: join(folder, 'aborted'),
        more: { timeoutMs: LONG_MS, signal: abort.signal },
        says: /interrupted/,
      },
    ];
    for (const { file, more, says } of ways) {
      const ending = runChild({ program: script, args: [file], ...more });
      await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8') !== '').toBe(true);
      if ('signal' in more) abort.abort();
      await expect(ending).rejects.toThrow(says);
      const grandchild = Number(readFileSync(file, 'utf8'));
      await expect.poll(() => linuxProcesses().mark(grandchild)?.endsWith(' ') ?? true).toBe(true);
    }
  });

  it('is ended when it writes nothing for as long as one may that writes while it works', async () => {
    await expect(runChild(node('setInterval(() => 0, 1000)', { stallMs: 50 }))).rejects.toThrow(
      /was ended: it wrote nothing for/,
    );
    const busy = 'let n = 0; setInterval(() => ++n > 3 ? process.exit() : console.log(n), 1)';
    expect(await runChild(node(busy, { stallMs: LONG_MS }))).toBe('1\n2\n3\n');
  });

  it('is fed what it reads; an input that breaks off ends it with the error of the input', async () => {
    const input = Readable.from([Buffer.from('one'), Buffer.from('two')]);
    expect(await runChild(node('process.stdin.pipe(process.stdout)', { input }))).toBe('onetwo');
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('one');
        throw new Error('unexpected end of file');
      })(),
    );
    await expect(runChild(node('process.stdin.resume()', { input: broken }))).rejects.toThrow(
      'unexpected end of file',
    );
    const early = Readable.from([Buffer.alloc(4_000_000)]);
    await expect(
      runChild(node("console.error('no room'); process.exit(1)", { input: early })),
    ).rejects.toThrow('no room');
  });

  it('ends with the error of who reads it', async () => {
    const reading = readChild(node('setInterval(() => console.log(1), 5)'), async (stdout) => {
      await once(stdout, 'data');
      throw new Error('no such dump');
    });
    await expect(reading).rejects.toThrow('no such dump');
  });

  it('gets none of our secrets, and no variable that would lead it to another server', async () => {
    takeVariables({
      ZITADEL_SERVICE_TOKEN: 'Grendel-token',
      PGHOST: 'elsewhere',
      PGSSLROOTCERT: '/ca.pem',
      HARMLESS: 'yes',
    });
    const seen = JSON.parse(
      await runChild(node('process.stdout.write(JSON.stringify(process.env))')),
    ) as Record<string, string>;
    expect(seen['ZITADEL_SERVICE_TOKEN']).toBeUndefined();
    expect(seen['PGHOST']).toBeUndefined();
    expect(seen).toMatchObject({ PGSSLROOTCERT: '/ca.pem', HARMLESS: 'yes' });
    for (const name of ['ZITADEL_SERVICE_TOKEN', 'PGHOST', 'PGSSLROOTCERT', 'HARMLESS'])
      Reflect.deleteProperty(process.env, name);
  });

  it('reaches a database by the variables of libpq', () => {
    const url =
      'postgres://opera%20tor:p%40ss@[::1]:6432/zita%2Fdel?sslmode=no-verify&options=-c%20geqo%3Doff&sslrootcert=/ca.pem';
    expect(postgresVariables(url, 'X', { applicationName: 'a', settings: { role: 'the owner' } })).toEqual({
      PGCONNECT_TIMEOUT: '10',
      PGHOST: '::1',
      PGPORT: '6432',
      PGUSER: 'opera tor',
      PGPASSWORD: 'p@ss',
      PGDATABASE: 'zita/del',
      PGSSLMODE: 'require',
      PGSSLROOTCERT: '/ca.pem',
      PGOPTIONS: '-c geqo=off -c role=the\\ owner',
      PGAPPNAME: 'a',
      LC_MESSAGES: 'C',
    });
    takeVariables({ PGPASSWORD: 'of-the-environment' });
    expect(postgresVariables('postgres://db/zitadel', 'X', { applicationName: 'a' })).toMatchObject({
      PGPASSWORD: 'of-the-environment',
    });
    Reflect.deleteProperty(process.env, 'PGPASSWORD');
    expect(() => postgresVariables('mysql', 'X', { applicationName: 'a' })).toThrow(
      'X is not a postgres:// URL',
    );
  });
});
