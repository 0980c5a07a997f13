import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { StoreClient } from '../contracts/openfga/client.ts';
import { openFgaBinary, startRealOpenFga } from '../services/openfga.ts';
import { sallyport } from '../support/sallyport.ts';

const OLD = 'model\n  schema 1.1\ntype user\ntype invoice\n  relations\n    define payer: [user]\n';
const NEW = OLD.replace('payer', 'viewer');
const RULES = '[\n  { "path": "/invoices/:id", "method": "GET", "object": "invoice:{id}" }\n]';
const SLIP = RULES.replace('invoice:', 'invocie:');

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-model-'));
  model = join(folder, 'own.fga');
  await writeFile(model, NEW);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('sallyport rules check', () => {
  it('holds rules against config/model.fga, or the file of OPENFGA_MODEL, or nothing', async () => {
    const shipped = await sallyport({ ACCESS_RULES: RULES }, 'rules', 'check');
    expect(shipped).toMatchObject({ code: 1 });
    expect(shipped.stdout).toContain(
      'ACCESS_RULES:2:47: error: object: config/model.fga has no type "invoice"',
    );
    const own = await sallyport({ ACCESS_RULES: RULES, OPENFGA_MODEL: model }, 'rules', 'check', '--json');
    expect(own).toMatchObject({ code: 0 });
    expect(JSON.parse(own.stdout)).toMatchObject({ ok: true, model });
    const off = await sallyport({ ACCESS_RULES: SLIP, OPENFGA_MODEL: 'off' }, 'rules', 'check');
    expect(off).toMatchObject({ code: 0 });
    const slip = await sallyport({ ACCESS_RULES: SLIP, OPENFGA_MODEL: model }, 'rules', 'check');
    expect(slip.stdout).toContain('did you mean "invoice"?');
  });

  it('takes any target where the variables of the gateway are not at hand', async () => {
    const rules = RULES.replace('"object"', '"target": "billing", "object"');
    const variables = { ACCESS_RULES: rules, OPENFGA_MODEL: model };
    expect(await sallyport(variables, 'rules', 'check')).toMatchObject({ code: 1 });
    expect(await sallyport(variables, 'rules', 'check', '--any-target')).toMatchObject({ code: 0 });
  });

  it('fails where the named model is not there', async () => {
    const gone = { ACCESS_RULES: RULES, OPENFGA_MODEL: join(folder, 'gone.fga') };
    const { code, stderr } = await sallyport(gone, 'rules', 'check');
    expect(code).toBe(1);
    expect(stderr).toContain('OPENFGA_MODEL cannot be read');
  });
});

const real = openFgaBinary() === undefined ? [] : [['a real OpenFGA', startRealOpenFga] as const];

describe.each([['the stand-in', startOpenFga] as const, ...real])(
  'rules check --store, %s',
  (_name, start) => {
    let server: Awaited<ReturnType<typeof start>>;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.close());

    it('asks the model that serves: the latest, or the one that is pinned', async () => {
      const url = server?.url ?? '';
      const store = await StoreClient.with(url, OLD);
      const variables = { ACCESS_RULES: RULES, OPENFGA_URL: url, OPENFGA_STORE_ID: store.id };
      const old = await sallyport(variables, 'rules', 'check', '--store');
      expect(old).toMatchObject({ code: 1 });
      expect(old.stdout).toMatch(
        /ACCESS_RULES:2:47: error: object: model \w+ of store \w+ has no relation "viewer"/,
      );
      const { body } = await store.get('authorization-models');
      const { authorization_models: models } = body as { authorization_models: { id: string }[] };
      const again = await StoreClient.with(url, NEW);
      const renewed = { ...variables, OPENFGA_STORE_ID: again.id };
      expect(await sallyport(renewed, 'rules', 'check', '--store')).toMatchObject({ code: 0 });
      const pinned = { ...variables, OPENFGA_MODEL_ID: models[0]?.id ?? '' };
      expect(await sallyport(pinned, 'rules', 'check', '--store')).toMatchObject({ code: 1 });
    });

    it('fails where there is no model, no store or no server', async () => {
      const url = server?.url ?? '';
      const { id } = await StoreClient.create(url);
      const variables = { ACCESS_RULES: RULES, OPENFGA_URL: url, OPENFGA_STORE_ID: id };
      const empty = await sallyport(variables, 'rules', 'check', '--store');
      expect(empty).toMatchObject({ code: 1 });
      expect(empty.stderr).toContain('has no model');
      const nowhere = { ...variables, OPENFGA_URL: 'http://127.0.0.1:1' };
      expect(await sallyport(nowhere, 'rules', 'check', '--store')).toMatchObject({ code: 1 });
      expect(await sallyport({ ACCESS_RULES: RULES }, 'rules', 'check', '--store')).toMatchObject({
        code: 1,
      });
    });
  },
);
