import { describe, expect, it } from 'vitest';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { openFgaContract } from './openfga.contract.ts';
import { modelFrom, request, StoreClient, tupleKeys, type Fact } from './openfga/client.ts';

const DSL = 'model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]';
const ANNE: Fact = ['user:anne', 'viewer', 'doc:1'];

describe('the OpenFGA stand-in', () => {
  openFgaContract(() => startOpenFga());
});

describe('the OpenFGA stand-in by itself', () => {
  it('answers 501, and says that it is a stand-in, to what it does not answer', async () => {
    await using server = await running();
    const { id } = await StoreClient.with(server.url, DSL);
    const asked = [
      ['POST', `/stores/${id}/list-objects`],
      ['DELETE', `/stores/${id}`],
      ['GET', '/nope'],
    ] as const;
    for (const [method, path] of asked) {
      const { status, body } = await request(server.url, method, path);
      const message = `the stand-in of OpenFGA does not answer ${method} ${path}: see dev/openfga/README.md`;
      expect([path, status, body]).toEqual([path, 501, { code: 'unimplemented', message }]);
    }
  });

  it('refuses what would change its answers and it cannot judge: conditions and contextual tuples', async () => {
    await using server = await running();
    const store = await StoreClient.with(server.url, DSL);
    const late = '\ncondition late(hour: int) {\n  hour > 20\n}';
    const conditional = modelFrom(DSL.replace('[user]', '[user with late]') + late);
    const refused = (what: string) => ({
      status: 400,
      body: { code: 'validation_error', message: `${what} are not supported by the stand-in` },
    });
    expect(await store.post('authorization-models', conditional)).toEqual(refused('conditions'));
    const [tuple] = tupleKeys([ANNE]).tuple_keys;
    const writes = { tuple_keys: [{ ...tuple, condition: { name: 'late' } }] };
    expect(await store.post('write', { writes })).toEqual(refused('conditions'));
    const brought = await store.check(ANNE, { contextual_tuples: tupleKeys([ANNE]) });
    expect(brought).toEqual(refused('contextual tuples'));
  });

  it('gives up where groups hold each other around an exclusion', async () => {
    await using server = await running();
    const dsl =
      'model\n  schema 1.1\ntype user\ntype group\n  relations\n    define banned: [user]\n' +
      '    define member: [user, group#member] but not banned';
    const groups = Array.from({ length: 12 }, (_, index) => `group:${index}`);
    const pairs = groups.flatMap((object) =>
      groups.filter((other) => other !== object).map((other): Fact => [`${other}#member`, 'member', object]),
    );
    const store = await StoreClient.with(server.url, dsl, pairs);
    expect(await store.check(['user:anne', 'member', 'group:0'])).toMatchObject({
      status: 500,
      body: { code: 'deadline_exceeded' },
    });
  });
});

async function running() {
  const server = await startOpenFga();
  return { url: server.url, [Symbol.asyncDispose]: () => server.close() };
}
