import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_TUPLES, seed } from '../../dev/seed.ts';
import { openFgaBinary, startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';
import { sallyport } from '../support/sallyport.ts';

describe.skipIf(openFgaBinary() === undefined)('tuples of a backup (needs OpenFGA)', () => {
  let folder: string;
  let openfga: OpenFgaService;
  let elsewhere: OpenFgaService;
  let stores: Awaited<ReturnType<typeof seed>>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-tuples-'));
    [openfga, elsewhere] = (await Promise.all([startRealOpenFga(), startRealOpenFga()])) as [
      OpenFgaService,
      OpenFgaService,
    ];
    stores = await seed({ url: openfga.url });
  });
  afterAll(async () => {
    await Promise.all([openfga.close(), elsewhere.close()]);
    await rm(folder, { recursive: true, force: true });
  });
  const run = async (url: string, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await sallyport(
      {
        BACKUP_DIR: folder,
        OPENFGA_URL: url,
        OPENFGA_STORE_ID: stores.storeId,
        ACCESS_RULES: '[]',
        ACCESS_RULES_PREV: '[]',
        DEFAULT_GRANTS: '[]',
      },
      ...['backup', ...args, '--json'],
    );
    return { code, stderr, result: JSON.parse(stdout) as Record<string, unknown> };
  };
  const tuplesOf = async (store: string) => {
    const answer = await fetch(`${elsewhere.url}/stores/${store}/read`, { method: 'POST', body: '{}' });
    const { tuples } = (await answer.json()) as { tuples: { key: object }[] };
    return tuples.map(({ key }) => key);
  };

  it('go with their model into any OpenFGA, into a store of their own, which the command names', async () => {
    const made = await run(openfga.url, 'create', '--verify');
    expect(made.result['parts']).toMatchObject([{ name: 'tuples', tuples: DEMO_TUPLES.length }, {}, {}, {}]);
    const { code, result } = await run(elsewhere.url, 'restore', String(made.result['backup']), '--yes');
    expect({ code, databases: result['databases'] }).toEqual({ code: 0, databases: [] });
    const store = String(result['store']);
    expect(store).not.toBe(stores.storeId);
    expect(result['next']).toContain(`set OPENFGA_STORE_ID=${store}, and take OPENFGA_MODEL_ID out`);
    const found = await tuplesOf(store);
    expect(found).toHaveLength(DEMO_TUPLES.length);
    expect(found).toEqual(
      expect.arrayContaining(DEMO_TUPLES.map((tuple) => expect.objectContaining(tuple) as unknown)),
    );
  });

  it('leave nothing behind when OpenFGA is away', async () => {
    const { code, result } = await run('http://127.0.0.1:9', 'create');
    expect({ code, error: result['error'] }).toMatchObject({
      code: 1,
      error: expect.stringContaining('127.0.0.1:9') as unknown,
    });
  });
});
