import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTuples } from '../../cli/deps.ts';
import { seed } from '../../dev/seed.ts';
import type { OpenFgaService } from '../services/openfga.ts';
import { Border, type Fate } from '../support/border.ts';
import { crossToHttp, type Crossing } from '../support/crossing.ts';
import { sallyport, spawnSallyport } from '../support/sallyport.ts';
import { linesFor, MANY } from './many.ts';
import { SERVER } from './servers.ts';

const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];

describe(`sallyport fga tuples, on ${SERVER.name}`, () => {
  const border = new Border();
  let server: OpenFgaService;
  let crossing: Crossing;
  let folder: string;
  beforeAll(async () => {
    server = await SERVER.start();
    crossing = await crossToHttp(server.url, border);
  });
  afterAll(async () => {
    await crossing.close();
    await server.close();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-tuples-'));
    return () => rm(folder, { recursive: true });
  });

  const newStore = async (): Promise<string> => (await seed({ url: server.url })).storeId;
  const variables = (store: string) => ({ OPENFGA_URL: crossing.url, OPENFGA_STORE_ID: store });
  const tuples = (store: string, ...args: string[]) => sallyport(variables(store), 'fga', 'tuples', ...args);
  const exported = async (store: string): Promise<string> => (await tuples(store, 'export')).stdout;
  const filled = async (): Promise<string> => {
    const storeId = await newStore();
    const open = openTuples({ url: server.url, storeId, modelId: null, apiToken: null });
    for (let at = 0; at < MANY.length; at += 100) await open.write({ writes: MANY.slice(at, at + 100) });
    return storeId;
  };

  /** One process after the other dies at its second call to OpenFGA, the first at its first, until one comes through. */
  async function killedUntilDone(store: string, ...args: string[]): Promise<number> {
    for (let kills = 0; ; kills += 1) {
      const resume = kills === 0 ? [] : ['--resume'];
      const child = spawnSallyport(variables(store), 'fga', 'tuples', ...args, ...resume);
      border.arm(Math.min(kills + 1, 2), FATES[kills % 3]!, () => child.kill('SIGKILL'));
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      const { struck } = border;
      border.disarm();
      expect([code, signal]).toEqual(struck ? [null, 'SIGKILL'] : [0, null]);
      if (!struck) return kills;
    }
  }

  it('an export that is killed again and again becomes the file of one that was not, and leaves nothing else', async () => {
    const store = await filled();
    const file = join(folder, 'backup.jsonl');
    expect(await killedUntilDone(store, 'export', file)).toBeGreaterThanOrEqual(4);
    expect(await readFile(file, 'utf8')).toBe(await exported(store));
    expect(await readdir(folder)).toEqual(['backup.jsonl']);
  });

  it('an export whose reader has seen enough ends without a word', async () => {
    const child = spawnSallyport(variables(await filled()), 'fga', 'tuples', 'export');
    child.stdout!.destroy();
    const [stderr] = await Promise.all([text(child.stderr!), once(child, 'close')]);
    expect([child.exitCode, stderr]).toEqual([141, '']);
  });

  it('an import that is killed again and again makes the store of the file', async () => {
    const store = await newStore();
    const before = (await exported(store)).split('\n');
    const file = join(folder, 'backup.jsonl');
    await writeFile(file, linesFor(MANY));
    expect(await killedUntilDone(store, 'import', file)).toBeGreaterThanOrEqual(3);
    const after = (await exported(store)).split('\n');
    expect(after.sort()).toEqual([...before, ...linesFor(MANY).split('\n').slice(0, -1)].sort());
    expect(await readdir(folder)).toEqual(['backup.jsonl']);
  });

  it('a broken line is named, and once it is mended the import goes on without loss', async () => {
    const store = await newStore();
    const file = join(folder, 'backup.jsonl');
    const broken = [...MANY.slice(0, 250), { user: 'user:x', relatoin: 'viewer' }, ...MANY.slice(250)];
    await writeFile(file, linesFor(broken));
    const refused = await tuples(store, 'import', file);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('line 251 is no tuple') as unknown,
    });
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    await writeFile(file, linesFor(MANY));
    expect(await tuples(store, 'import', file, '--resume')).toMatchObject({ code: 0 });
    const held = await exported(store);
    for (const line of linesFor(MANY).split('\n')) expect(held).toContain(line);
  });

  it('a line that OpenFGA refuses is named with those written together with it', async () => {
    const file = join(folder, 'backup.jsonl');
    await writeFile(file, linesFor([...MANY, { user: 'user:x', relation: 'owner', object: 'document:1' }]));
    const refused = await tuples(await newStore(), 'import', file);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('lines 301 to 343 were not written') as unknown,
    });
    expect(refused.stderr).toContain('document:1#owner@user:x');
    expect(refused.stderr).not.toMatch(/^\s+at /m);
  });

  it('an OpenFGA that is away is named by its host, without path or token', async () => {
    const away = {
      OPENFGA_URL: 'http://127.0.0.1:1/s3cret-path',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      OPENFGA_API_TOKEN: 's3cret-token',
    };
    const { code, stdout, stderr } = await sallyport(away, 'fga', 'tuples', 'export');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^error: OpenFGA failed: .*ECONNREFUSED.*OPENFGA_URL leads to 127\.0\.0\.1:1\)\n$/,
    );
    expect(stderr).not.toContain('s3cret');
  });
});
