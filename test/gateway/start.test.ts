import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LISTENING, nodeProgram, type NodeProgramOptions } from '../support/gateway/node.ts';
import type { GatewayVariables } from '../support/gateway/runtime.ts';
import { openWorld, type World } from '../support/world.ts';
import { startRedis } from '../services/redis.ts';

let world: World;
let folder: string;
let taken: Server;
const redis = await startRedis();

beforeAll(async () => {
  world = await openWorld();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-start-'));
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
});
afterAll(async () => {
  taken.close();
  await rm(folder, { recursive: true, force: true });
  await redis?.close();
  await world.close();
});

/** Starts what cannot start, and gives its exit code and last words. */
async function ending(variables: GatewayVariables, options?: NodeProgramOptions) {
  const program = await nodeProgram(variables, options);
  const code = await program.ended;
  expect(program.output()).not.toMatch(/^\s+at /m);
  return { code, said: program.output() };
}

describe('a start that fails says what to do', () => {
  it('where the port is taken', async () => {
    const { port } = taken.address() as AddressInfo;
    const { code, said } = await ending({ ...world.variables, PORT: String(port) });
    expect(code).toBe(1);
    expect(said).toContain(`cannot listen on 127.0.0.1:${port}: another program listens there`);
    expect(said).toContain(`PORT=${port + 1} (EADDRINUSE)`);
  });

  it('where the address is not of this machine', async () => {
    const { code, said } = await ending({ ...world.variables, HOST: '203.0.113.1' });
    expect([code, said]).toEqual([1, expect.stringContaining('set HOST to one of its own') as unknown]);
  });

  it.each([
    [
      'is not there',
      'no/such.json',
      /ACCESS_RULES names "no\/such\.json", which cannot be read: there is no such file .*ENOENT/,
    ],
    [
      'is a folder',
      'config',
      /ACCESS_RULES names "config", which cannot be read: it is a folder: name a file \(EISDIR\)/,
    ],
  ])('where the rules file %s', async (_how, path, words) => {
    const { code, said } = await ending({ ...world.variables, ACCESS_RULES: path });
    expect([code, said]).toEqual([1, expect.stringMatching(words) as unknown]);
  });

  it('where an argument is none of the program', async () => {
    const { code, said } = await ending(world.variables, { args: ['--port', '4000'] });
    expect([code, said]).toEqual([2, expect.stringContaining('--env-file <file>') as unknown]);
  });
});

describe.skipIf(redis === undefined)(
  'a start that fails ends, while Redis is up (needs redis-server)',
  () => {
    const closed = 'postgres://nobody@127.0.0.1:1/nowhere';

    it.each<[string, () => GatewayVariables]>([
      ['rules that are no JSON', () => ({ ACCESS_RULES: '[{' })],
      ['grants that are no JSON', () => ({ DATABASE_URL: closed, DEFAULT_GRANTS: '[{' })],
      [
        'a port that is taken',
        () => ({ DATABASE_URL: closed, PORT: String((taken.address() as AddressInfo).port) }),
      ],
    ])('with %s', async (_what, variables) => {
      const all = { ...world.variables, REDIS_URL: redis?.url ?? '', ...variables() };
      expect(await ending(all)).toMatchObject({ code: 1 });
    });
  },
);

describe('variables of a file', () => {
  const text = (variables: GatewayVariables): string =>
    Object.entries(variables)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join('');

  it('.env is read where it is there, below the environment', async () => {
    const cwd = join(folder, 'dotenv');
    await mkdir(cwd);
    await writeFile(join(cwd, '.env'), `${text(world.variables)}RATE_LIMIT=lots\nREDIS_URI=hush-hush\n`);
    const refused = await ending({}, { cwd, args: [] });
    expect(refused.said).toContain('- RATE_LIMIT ');
    expect(refused.said).toContain('- REDIS_URI is not read: is REDIS_URL meant?');
    expect(refused.said).toContain('from the environment and .env');
    expect(refused.said).not.toContain('UPSTREAM_URL');
    expect(refused.said).not.toContain('hush-hush');
    const program = await nodeProgram({ RATE_LIMIT: '5/1s', ACCESS_RULES: '[]' }, { cwd, args: [] });
    await program.printed(LISTENING);
    expect(program.output()).not.toContain('hush-hush');
    program.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });

  it('--env-file names others, a later before an earlier one, and leaves .env out', async () => {
    const cwd = join(folder, 'named');
    await mkdir(cwd);
    await writeFile(join(cwd, '.env'), 'LOG_LEVEL=loud\n');
    await writeFile(join(cwd, 'base.env'), `\uFEFF${text(world.variables)}RATE_LIMIT=lots\n`);
    await writeFile(join(cwd, 'more.env'), 'export RATE_LIMIT="5/1s" # a comment\r\nACCESS_RULES=[]\r\n');
    const args = ['--env-file', 'base.env', '--env-file=more.env'];
    const program = await nodeProgram({}, { cwd, args });
    await program.printed(LISTENING);
    program.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });

  it('one that is named and not there is a fault, as is a line that assigns nothing', async () => {
    const absent = await ending(world.variables, { args: ['--env-file', 'no/such.env'] });
    expect(absent).toEqual({
      code: 1,
      said: expect.stringMatching(
        /^cannot read the variables in no\/such\.env: there is no such file/,
      ) as unknown,
    });
    await writeFile(join(folder, 'colon.env'), 'A=1\n\nREDIS_URL: hush-hush\nB=2\n');
    const colon = await ending(world.variables, { args: ['--env-file', join(folder, 'colon.env')] });
    expect([colon.code, colon.said]).toEqual([
      1,
      expect.stringMatching(/colon\.env: line 3 is not NAME=value\n$/),
    ]);
    expect(colon.said).not.toContain('hush');
  });
});
