import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { userNamed, whoMay } from '../../cli/rules/who.ts';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { parseModel } from '../../shared/adapters/openfga/model-file.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openFgaRelations } from '../../shared/adapters/openfga/relations.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import { StoreClient, type Fact } from '../contracts/openfga/client.ts';
import { openFgaBinary, startRealOpenFga } from '../services/openfga.ts';
import { sallyport } from '../support/sallyport.ts';

const DSL = `model
  schema 1.1
type user
type team
  relations
    define member: [user, team#member]
type folder
  relations
    define viewer: [user]
type document
  relations
    define parent: [folder]
    define blocked: [user]
    define editor: [user]
    define viewer: [user, user:*, team#member] or editor or viewer from parent
    define view: viewer
    define sign: viewer and editor
    define read: viewer but not blocked
`;
const FACTS: readonly Fact[] = [
  ['user:alice', 'member', 'team:x'],
  ['team:x#member', 'member', 'team:y'],
  ['team:y#member', 'viewer', 'document:7'],
  ['team:y#member', 'member', 'team:x'],
  ['user:erin', 'editor', 'document:7'],
  ['user:*', 'viewer', 'document:open'],
  ['user:alice', 'blocked', 'document:open'],
  ['folder:f', 'parent', 'document:filed'],
  ['user:alice', 'viewer', 'folder:f'],
  ['user:kanidm|bob', 'editor', 'document:7'],
];
const RULES = JSON.stringify([
  { path: '/documents/:id', method: 'GET', object: 'document:{id}', action: 'view' },
  { path: '/shadow/:id', method: 'GET', object: 'document:{id}', action: 'view', mode: 'shadow' },
  { path: '/public', method: 'GET', feature: 'public_access' },
  { path: '/scoped', method: 'GET', claims: { scope: 'x' } },
]);

const real = openFgaBinary() === undefined ? [] : [['a real OpenFGA', startRealOpenFga] as const];

describe.each([['the stand-in', startOpenFga] as const, ...real])('who may, and why: %s', (_name, start) => {
  let server: Awaited<ReturnType<typeof start>>;
  let store: StoreClient;
  beforeAll(async () => {
    server = await start();
    store = await StoreClient.with(server?.url ?? '', DSL, FACTS);
  });
  afterAll(() => server?.close());

  const ask = (user: string, relation: string, object: string) => {
    const client = openFgaClient(
      { url: store.url, storeId: store.id, modelId: null, apiToken: null },
      undiciExchange,
    );
    const deps = { relations: openFgaRelations(client), tuples: openFgaTuples(client) };
    return whoMay(user, relation, object, { ...deps, model: parseModel(DSL) });
  };

  it.each<[Fact, string[]]>([
    [
      ['user:alice', 'view', 'document:7'],
      ['user:alice -> member of team:x -> member of team:y -> viewer of document:7 -> view of document:7'],
    ],
    [
      ['user:erin', 'view', 'document:7'],
      ['user:erin -> editor of document:7 -> viewer of document:7 -> view of document:7'],
    ],
    [['user:dora', 'read', 'document:open'], ['user:* -> viewer of document:open -> read of document:open']],
    [
      ['user:alice', 'viewer', 'document:filed'],
      ['user:alice -> viewer of folder:f -> viewer of document:filed, whose parent is folder:f'],
    ],
    [
      ['user:erin', 'sign', 'document:7'],
      [
        'user:erin -> editor of document:7 -> viewer of document:7 -> sign of document:7',
        'user:erin -> editor of document:7 -> sign of document:7',
      ],
    ],
  ])('%j: the chain that grants', async (fact, chains) => {
    const verdict = await ask(...fact);
    expect(verdict).toMatchObject({ allowed: true, lacks: [] });
    expect(verdict.chains.map((chain) => chain.join(' -> '))).toEqual(chains);
  });

  it.each<[Fact, string[]]>([
    [
      ['user:dora', 'view', 'document:7'],
      [
        'user:dora is not viewer of document:7',
        'team:y#member is viewer of document:7, but user:dora is not member of team:y',
        'team:y#member is viewer of document:7, but team:x#member is member of team:y, but user:dora is not member of team:x',
        'user:dora is not editor of document:7',
        'document:7 has no parent',
      ],
    ],
    [['user:alice', 'sign', 'document:7'], ['user:alice is not editor of document:7']],
    [
      ['user:alice', 'read', 'document:open'],
      ['read of document:open is taken away: user:alice -> blocked of document:open'],
    ],
  ])('%j: the relation that lacks', async (fact, lacks) => {
    expect(await ask(...fact)).toMatchObject({ allowed: false, chains: [], lacks });
  });

  it('sallyport rules explain --user prints it, and exits as the gateway would answer', async () => {
    const variables = { ACCESS_RULES: RULES, OPENFGA_URL: store.url, OPENFGA_STORE_ID: store.id };
    const explain = (...args: string[]) => sallyport(variables, 'rules', 'explain', ...args);
    const yes = await explain('--user', 'alice', 'GET', '/documents/7');
    expect(yes).toMatchObject({ code: 0 });
    expect(yes.stdout).toContain('answer  yes');
    expect(yes.stdout).toContain(
      'user:alice -> member of team:x -> member of team:y -> viewer of document:7',
    );
    const no = await explain('--user', 'dora', 'GET', '/documents/7', '--json');
    expect(no).toMatchObject({ code: 1 });
    expect(JSON.parse(no.stdout)).toMatchObject({
      object: 'document:7',
      openfga: { user: 'user:dora', allowed: false, lacks: { length: 5 } },
    });
    const other = await explain('--user', 'bob', '--issuer', 'kanidm', 'GET', '/documents/7');
    expect(other).toMatchObject({ code: 0 });
    expect(other.stdout).toContain('user    user:kanidm|bob');
    const shadow = await explain('--user', 'dora', 'GET', '/shadow/7');
    expect(shadow).toMatchObject({ code: 0 });
    expect(shadow.stdout).toContain('let through all the same');
  });

  it('asks nothing where the gateway would ask nothing, and says what it cannot ask', async () => {
    const explain = (variables: Record<string, string>, ...args: string[]) =>
      sallyport({ ACCESS_RULES: RULES, ...variables }, 'rules', 'explain', ...args);
    for (const path of ['/public', '/scoped']) {
      const { code, stdout } = await explain({}, '--user', 'dora', 'GET', path);
      expect({ path, code }).toEqual({ path, code: 0 });
      expect(stdout).toContain('OpenFGA is not asked');
    }
    expect(await explain({}, '--user', 'dora', 'GET', '/documents/7')).toMatchObject({ code: 1 });
    expect(await explain({}, '--user', 'a b', 'GET', '/documents/7')).toMatchObject({ code: 2 });
    const refused = await explain(
      { OPENFGA_URL: store.url, OPENFGA_STORE_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV' },
      ...['--user', 'dora', 'GET', '/documents/7'],
    );
    expect(refused).toMatchObject({ code: 1 });
  });
});

it('a subject becomes the user that the gateway asks about', () => {
  expect(userNamed('alice', 'zitadel', ['zitadel'])).toBe('user:alice');
  expect(userNamed('alice', 'kanidm', ['zitadel'])).toBe('user:kanidm|alice');
  expect(userNamed('user:kanidm|alice', 'zitadel', ['zitadel'])).toBe('user:kanidm|alice');
  for (const subject of ['', '*', 'user:*', 'a b', 'team:x#member'])
    expect(() => userNamed(subject, 'zitadel', ['zitadel'])).toThrow('--user takes');
});
