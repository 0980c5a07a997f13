import { describe, expect, it } from 'vitest';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { openFgaContract, openFgaTokenContract } from './openfga.contract.ts';
import { modelFrom, StoreClient, type Fact } from './openfga/client.ts';

describe('the OpenFGA stand-in', () => {
  openFgaContract(() => startOpenFga());
});

describe('the OpenFGA stand-in with an API token', () => {
  openFgaTokenContract(() => startOpenFga({ apiToken: 'secret' }));
});

describe('the OpenFGA stand-in by itself', () => {
  it('says of conditions that it does not support them', async () => {
    await using server = await running();
    const store = await StoreClient.create(server.url);
    const dsl =
      'model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user with late]\n' +
      'condition late(hour: int) {\n  hour > 20\n}';
    expect(await store.post('authorization-models', modelFrom(dsl))).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('conditions are not supported by the stand-in') as string },
    });
  });

  it('gives up after 3 s where groups hold each other around an exclusion', async () => {
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
