import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenFgaService } from '../services/openfga.ts';
import { sallyport } from '../support/sallyport.ts';
import { SERVER } from './servers.ts';

const IDS = /^OPENFGA_STORE_ID=(?<store>\w{26})\nOPENFGA_MODEL_ID=(?<model>\w{26})\n$/;

describe(`sallyport fga bootstrap, on ${SERVER.name}`, () => {
  let server: OpenFgaService;
  let folder: string;
  const fga = (variables: Record<string, string>, ...args: string[]) =>
    sallyport({ OPENFGA_URL: server.url, ...variables }, 'fga', ...args);
  beforeAll(async () => {
    server = await SERVER.start();
    folder = await mkdtemp(join(tmpdir(), 'sallyport-fga-'));
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  it('makes store and model, prints their ids alone, and again changes nothing', async () => {
    expect(await fga({}, 'bootstrap', '--check')).toMatchObject({ code: 1, stdout: '' });
    const first = await fga({}, 'bootstrap');
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(IDS) as unknown });
    expect(await fga({}, 'bootstrap')).toEqual({ code: 0, stdout: first.stdout, stderr: '' });
    expect(await fga({}, 'bootstrap', '--check')).toMatchObject({ code: 0, stdout: first.stdout });
  });

  it('writes a changed model to the same store, and says the drift before', async () => {
    const { store = '', model } = IDS.exec((await fga({}, 'bootstrap')).stdout)?.groups ?? {};
    const changed = join(folder, 'changed.fga');
    await writeFile(changed, `${await readFile('config/model.fga', 'utf8')}\ntype extra\n`);
    const check = await fga({ OPENFGA_STORE_ID: store }, 'bootstrap', '--model', changed, '--check');
    expect(check).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('not the one') as unknown,
    });
    const again = await fga({ OPENFGA_STORE_ID: store }, 'bootstrap', '--model', changed);
    const ids = IDS.exec(again.stdout)?.groups;
    expect(ids?.['store']).toBe(store);
    expect(ids?.['model']).not.toBe(model);
  });

  it('checks that OPENFGA_MODEL_ID pins the model of the file, and names both when it does not', async () => {
    const { store = '', model = '' } = IDS.exec((await fga({}, 'bootstrap')).stdout)?.groups ?? {};
    const pinning = (id: string, ...args: string[]) =>
      fga({ OPENFGA_STORE_ID: store, OPENFGA_MODEL_ID: id }, 'bootstrap', ...args);
    const other = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
    const drift = expect.stringMatching(`OPENFGA_MODEL_ID pins ${other}, but .* is ${model}`) as unknown;
    expect(await pinning(other, '--check')).toMatchObject({ code: 1, stdout: '', stderr: drift });
    const machine = await pinning(other, '--check', '--json');
    expect(machine.code).toBe(1);
    expect(JSON.parse(machine.stdout)).toEqual({ ok: false, drift: [drift] });
    expect(await pinning(other, '--dry-run')).toMatchObject({ code: 0, stderr: drift });
    expect(await pinning(model, '--check')).toMatchObject({ code: 0, stderr: '' });
  });

  it('refuses a model with faults and a store that is not there, without a stack', async () => {
    const broken = join(folder, 'broken.fga');
    await writeFile(broken, 'model\n  schema 1.1\ntype a\n  relations\n    define x: [\n');
    const result = await fga({}, 'bootstrap', '--model', broken);
    expect(result.code).toBe(1);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    const elsewhere = await fga({ OPENFGA_STORE_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }, 'bootstrap');
    expect(elsewhere).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('names no store') as unknown,
    });
  });

  it('exports every tuple over several pages, and imports them elsewhere and again', async () => {
    const { store = '' } =
      IDS.exec((await fga({}, 'bootstrap', '--store-name', 'origin')).stdout)?.groups ?? {};
    const { store: to = '' } =
      IDS.exec((await fga({}, 'bootstrap', '--store-name', 'copy')).stdout)?.groups ?? {};
    const lines = Array.from({ length: 250 }, (_, n) =>
      JSON.stringify({ user: `user:${n}`, relation: 'viewer', object: 'feature:x' }),
    );
    const file = join(folder, 'tuples.jsonl');
    await writeFile(file, `${[...lines, ...lines.slice(0, 3)].join('\n')}\n`);
    const dry = await fga({ OPENFGA_STORE_ID: store }, 'tuples', 'import', file, '--dry-run');
    expect(dry).toMatchObject({ code: 0 });
    expect((await fga({ OPENFGA_STORE_ID: store }, 'tuples', 'export')).stdout).toBe('');
    expect(await fga({ OPENFGA_STORE_ID: store }, 'tuples', 'import', file)).toMatchObject({ code: 0 });
    const out = join(folder, 'out.jsonl');
    expect(await fga({ OPENFGA_STORE_ID: store }, 'tuples', 'export', out)).toMatchObject({ code: 0 });
    for (const round of ['first', 'again'])
      expect((await fga({ OPENFGA_STORE_ID: to }, 'tuples', 'import', out)).code, round).toBe(0);
    const copied = await fga({ OPENFGA_STORE_ID: to }, 'tuples', 'export');
    expect(copied.stdout.trim().split('\n').sort()).toEqual(lines.sort());
  });
});
