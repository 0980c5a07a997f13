import { expect, it } from 'vitest';
import * as z from 'zod';
import { StoreClient, type Answer, type Fact } from './client.ts';

const DSL = `model
  schema 1.1
type user
type group
  relations
    define member: [user]
type folder
  relations
    define viewer: [user]
type doc
  relations
    define parent: [folder]
    define blocked: [user]
    define viewer: [user, user:*, group#member] or viewer from parent
    define can_view: viewer but not blocked`;

const FACTS: readonly Fact[] = [
  ['user:anne', 'viewer', 'doc:1'],
  ['user:*', 'viewer', 'doc:open'],
  ['user:anne', 'blocked', 'doc:open'],
  ['group:eng#member', 'viewer', 'doc:plan'],
  ['user:anne', 'member', 'group:eng'],
  ['folder:x', 'parent', 'doc:filed'],
  ['user:anne', 'viewer', 'folder:x'],
];

const objects = z.object({ objects: z.array(z.string()) });
const sorted = ({ body }: Answer) => objects.parse(body).objects.toSorted();

export function listPromises(url: () => string): void {
  const open = () => StoreClient.with(url(), DSL, FACTS);

  it('lists the objects a check would allow, and no others', async () => {
    const store = await open();
    expect(sorted(await store.listObjects('user:anne', 'can_view', 'doc'))).toEqual([
      'doc:1',
      'doc:filed',
      'doc:plan',
    ]);
    expect(sorted(await store.listObjects('user:bob', 'can_view', 'doc'))).toEqual(['doc:open']);
    expect(sorted(await store.listObjects('group:eng#member', 'viewer', 'doc'))).toEqual(['doc:plan']);
    expect(sorted(await store.listObjects('user:bob', 'viewer', 'folder'))).toEqual([]);
  });

  it('lists the object of a userset itself, tuple or no tuple', async () => {
    expect(sorted(await (await open()).listObjects('group:new#member', 'member', 'group'))).toEqual([
      'group:new',
    ]);
  });

  it('streams the same objects, one JSON line each', async () => {
    const store = await open();
    const response = await fetch(`${url()}/stores/${store.id}/streamed-list-objects`, {
      method: 'POST',
      body: JSON.stringify({ user: 'user:anne', relation: 'can_view', type: 'doc' }),
    });
    const lines = (await response.text()).trim().split('\n').toSorted();
    expect(lines).toEqual(
      ['doc:1', 'doc:filed', 'doc:plan'].map((object) => JSON.stringify({ result: { object } })),
    );
  });

  it.each([
    ['type_not_found', 'user:anne', 'viewer', 'nope'],
    ['relation_not_found', 'user:anne', 'nope', 'doc'],
    ['validation_error', 'nope:1', 'viewer', 'doc'],
    ['validation_error', 'anne', 'viewer', 'doc'],
  ])('answers %s to a listing for %s as %s of %s', async (code, user, relation, type) => {
    const answer = await (await open()).listObjects(user, relation, type);
    expect(answer).toMatchObject({ status: 400, body: { code } });
  });

  it('answers a faulty streamed listing in the envelope of streams', async () => {
    const answer = await (
      await open()
    ).post('streamed-list-objects', {
      user: 'user:anne',
      relation: 'viewer',
      type: 'nope',
    });
    expect(answer).toEqual({
      status: 400,
      body: { error: { code: 3, message: "type 'nope' not found", details: [] } },
    });
  });

  it('lists users as objects, usersets or the wildcard', async () => {
    const store = await open();
    const users = async (id: string, filter: object) =>
      (await store.listUsers(['doc', id], 'viewer', filter)).body;
    expect(await users('1', { type: 'user' })).toEqual({ users: [{ object: { type: 'user', id: 'anne' } }] });
    expect(await users('open', { type: 'user' })).toEqual({ users: [{ wildcard: { type: 'user' } }] });
    expect(await users('plan', { type: 'group', relation: 'member' })).toEqual({
      users: [{ userset: { type: 'group', id: 'eng', relation: 'member' } }],
    });
    expect(await users('none', { type: 'user' })).toEqual({ users: [] });
  });

  it.each([
    ['type_not_found', ['nope', '1'], 'viewer', { type: 'user' }],
    ['relation_not_found', ['doc', '1'], 'nope', { type: 'user' }],
    ['type_not_found', ['doc', '1'], 'viewer', { type: 'nope' }],
    ['relation_not_found', ['doc', '1'], 'viewer', { type: 'group', relation: 'nope' }],
    ['validation_error', ['doc', ''], 'viewer', { type: 'user' }],
  ] as const)('answers %s to listing the users of %j as %s by %j', async (code, object, relation, filter) => {
    const answer = await (await open()).listUsers(object, relation, filter);
    expect(answer).toMatchObject({ status: 400, body: { code } });
  });

  it('takes exactly one user filter', async () => {
    const request = { object: { type: 'doc', id: '1' }, relation: 'viewer' };
    const store = await open();
    for (const user_filters of [[], [{ type: 'user' }, { type: 'group' }]]) {
      expect(await store.post('list-users', { ...request, user_filters })).toMatchObject({
        status: 400,
        body: { code: 'validation_error' },
      });
    }
  });

  it('expands a relation by one level', async () => {
    const answer = await (
      await open()
    ).post('expand', { tuple_key: { relation: 'can_view', object: 'doc:filed' } });
    const name = 'doc:filed#can_view';
    expect(answer).toEqual({
      status: 200,
      body: {
        tree: {
          root: {
            name,
            difference: {
              base: { name, leaf: { computed: { userset: 'doc:filed#viewer' } } },
              subtract: { name, leaf: { computed: { userset: 'doc:filed#blocked' } } },
            },
          },
        },
      },
    });
  });

  it('expands direct users and the usersets of parents', async () => {
    const answer = await (
      await open()
    ).post('expand', { tuple_key: { relation: 'viewer', object: 'doc:filed' } });
    const name = 'doc:filed#viewer';
    expect(answer.body).toEqual({
      tree: {
        root: {
          name,
          union: {
            nodes: [
              { name, leaf: { users: { users: [] } } },
              {
                name,
                leaf: {
                  tupleToUserset: {
                    tupleset: 'doc:filed#parent',
                    computed: [{ userset: 'folder:x#viewer' }],
                  },
                },
              },
            ],
          },
        },
      },
    });
  });

  it('refuses to expand what the model does not know, or nothing', async () => {
    const store = await open();
    expect(await store.post('expand', { tuple_key: { relation: 'nope', object: 'doc:1' } })).toMatchObject({
      status: 400,
      body: { code: 'validation_error' },
    });
    expect(await store.post('expand', { tuple_key: {} })).toMatchObject({
      status: 400,
      body: { code: 'invalid_expand_input' },
    });
  });
}
