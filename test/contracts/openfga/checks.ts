import { expect, it } from 'vitest';
import { objectOf } from '../../../functions/gateway/match/rules/object.ts';
import type { RelationAccess } from '../../../functions/gateway/match/types.ts';
import { openFgaClient } from '../../../shared/adapters/openfga/client.ts';
import { undiciExchange } from '../../../shared/adapters/undici/exchange.ts';
import { openFgaRelations } from '../../../shared/adapters/openfga/relations.ts';
import { RelationsRefused } from '../../../shared/errors.ts';
import { StoreClient, type Fact } from './client.ts';

const DSL = `model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define viewer: [user]
type doc
  relations
    define parent: [folder]
    define blocked: [user]
    define editor: [user]
    define viewer: [user, user:*, group#member] or viewer from parent
    define can_view: viewer but not blocked
    define can_sign: viewer and editor`;

const FACTS: readonly Fact[] = [
  ['user:anne', 'viewer', 'doc:1'],
  ['user:anne', 'editor', 'doc:1'],
  ['user:*', 'viewer', 'doc:open'],
  ['user:mallory', 'blocked', 'doc:open'],
  ['group:eng#member', 'viewer', 'doc:plan'],
  ['group:core#member', 'member', 'group:eng'],
  ['user:bob', 'member', 'group:core'],
  ['folder:x', 'parent', 'doc:filed'],
  ['user:carl', 'viewer', 'folder:x'],
];

const ANSWERS: readonly (readonly [fact: Fact, allowed: boolean])[] = [
  [['user:anne', 'viewer', 'doc:1'], true],
  [['user:anne', 'viewer', 'doc:unknown'], false],
  [['user:bob', 'viewer', 'doc:1'], false],
  [['user:anyone', 'viewer', 'doc:open'], true],
  [['user:*', 'viewer', 'doc:open'], true],
  [['user:*', 'viewer', 'doc:1'], false],
  [['user:mallory', 'can_view', 'doc:open'], false],
  [['user:anne', 'can_sign', 'doc:1'], true],
  [['user:anyone', 'can_sign', 'doc:open'], false],
  [['user:bob', 'viewer', 'doc:plan'], true],
  [['group:core#member', 'viewer', 'doc:plan'], true],
  [['group:core#member', 'viewer', 'doc:open'], false],
  [['group:any#member', 'member', 'group:any'], true],
  [['user:carl', 'can_view', 'doc:filed'], true],
];

const REFUSED: readonly (readonly [fact: Fact, message: string])[] = [
  [['user:anne', 'viewer', 'nope:1'], "invalid relation: type 'nope' not found"],
  [['user:anne', 'nope', 'doc:1'], "invalid relation: relation 'doc#nope' not found"],
  [['nope:1', 'viewer', 'doc:1'], "invalid relation: type 'nope' not found"],
  [['group:eng#nope', 'viewer', 'doc:1'], "invalid relation: relation 'group#nope' not found"],
  [['user:a:b', 'viewer', 'doc:1'], "invalid relation: the 'user' field is malformed"],
  [['user:anne', 'viewer', 'doc'], "invalid relation: invalid 'object' field format"],
  [
    ['user:anne', 'viewer', 'doc:*'],
    "invalid relation: the 'object' field cannot reference a typed wildcard",
  ],
];

const TEMPLATE = [
  { kind: 'text', text: 'doc:' },
  { kind: 'param', name: 'id' },
] as const;

function names(access: RelationAccess, id: string): boolean {
  try {
    return objectOf(access, { id }) === `doc:${id}`;
  } catch {
    return false;
  }
}

export function checkPromises(url: () => string): void {
  const open = () => StoreClient.with(url(), DSL, FACTS);

  it('answers what tuples and rewrites say', async () => {
    const store = await open();
    for (const [fact, allowed] of ANSWERS) {
      expect([fact, await store.check(fact)]).toEqual([
        fact,
        { status: 200, body: { allowed, resolution: '' } },
      ]);
    }
  });

  it('answers 400 validation_error, with the reason, to a question the model does not know', async () => {
    const store = await open();
    for (const [fact, message] of REFUSED) {
      expect(await store.check(fact)).toEqual({ status: 400, body: { code: 'validation_error', message } });
    }
  });

  it('names every object that the gateway lets a path name, and refuses no other character', async () => {
    const store = await open();
    const characters = Array.from({ length: 0x300 }, (_, code) => String.fromCodePoint(code));
    const beyond = ['\u2028', '\u3000', '\ufeff', '\ufffd', '\u{1f600}'];
    const access = { kind: 'relation', relation: 'viewer', object: TEMPLATE } as const;
    const statuses: { character: string; status: number; named: boolean }[] = [];
    const left = [...characters, ...beyond].values();
    const askTheRest = async (): Promise<void> => {
      for (const character of left) {
        const id = `a${character}b`;
        const { status } = await store.check(['user:anne', 'viewer', `doc:${id}`]);
        statuses.push({ character, status, named: names(access, id) });
      }
    };
    // A few at a time share connections.
    await Promise.all(Array.from({ length: 8 }, askTheRest));
    const unnamed = statuses.filter(({ status, named }) => named && status !== 200);
    expect(unnamed).toEqual([]);
    const refused = statuses.filter(({ status }) => status !== 200).map(({ character }) => character);
    expect(refused.join('')).toMatch(/^[\p{Cc} #:]+$/u);
    expect(refused).toHaveLength(68);
  });

  it('is told apart from one that is away, as far as the question is at fault', async () => {
    const { id } = await open();
    const elsewhere = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
    const asks = async (relation: string, object: string, storeId = id, modelId: string | null = null) => {
      const client = openFgaClient({ url: url(), storeId, modelId, apiToken: null }, undiciExchange);
      return openFgaRelations(client).check({ user: 'user:anne', relation, object });
    };
    expect(await asks('viewer', 'doc:1')).toBe(true);
    const faulty: readonly Parameters<typeof asks>[] = [
      ['veiw', 'doc:1'],
      ['viewer', 'dco:1'],
      ['viewer', 'doc:1', elsewhere],
      ['viewer', 'doc:1', id, elsewhere],
    ];
    for (const question of faulty) await expect(asks(...question)).rejects.toBeInstanceOf(RelationsRefused);
    const nobody = openFgaClient(
      { url: 'http://127.0.0.1:1', storeId: id, modelId: null, apiToken: null },
      undiciExchange,
    );
    const away = openFgaRelations(nobody).check({ user: 'user:anne', relation: 'viewer', object: 'doc:1' });
    await expect(away).rejects.toMatchObject({ name: 'RelationsUnavailable' });
  });

  it('says that a value is missing', async () => {
    const store = await open();
    expect(await store.post('check', {})).toMatchObject({
      status: 400,
      body: { code: 'tuple_key_value_not_specified' },
    });
    expect(await store.check(['', 'viewer', 'doc:1'])).toMatchObject({
      status: 400,
      body: { code: 'validation_error' },
    });
  });
}
