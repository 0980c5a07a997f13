import { expect, it } from 'vitest';
import { modelFrom, StoreClient, type Answer } from './client.ts';

const DSL = `model
  schema 1.1
type user
type group
  relations
    define member: [user, user:*, group#member]
type doc
  relations
    define parent: [group]
    define owner: [user]
    define viewer: (owner or member from parent) but not owner`;
const UNKNOWN = '01H00000000000000000000000';

const THIS = { this: {} };
const USER = { type: 'user' };

const computed = (relation: string) => ({ computedUserset: { relation } });
const from = (tupleset: string, relation: string) => ({
  tupleToUserset: { tupleset: { relation: tupleset }, computedUserset: { relation } },
});

function type(name: string, relations: object = {}, restrictions: Record<string, object[]> = {}): object {
  const metadata = Object.entries(restrictions).map(([relation, types]) => [
    relation,
    { directly_related_user_types: types },
  ]);
  return { type: name, relations, metadata: { relations: Object.fromEntries(metadata) as object } };
}

function model(...types: object[]): object {
  return { schema_version: '1.1', type_definitions: types };
}

function doc(relations: object, restrictions: Record<string, object[]> = {}): object {
  return model(USER, type('doc', relations, restrictions));
}

/** Refused; written as JSON because the DSL could not even say most of them. */
const INVALID: readonly (readonly [fault: string, model: object])[] = [
  ['a type twice', model(USER, USER)],
  ['a reserved type name', model(type('self'))],
  ['a direct relation without types', doc({ viewer: THIS })],
  [
    'types on a relation that is only computed',
    doc({ a: THIS, viewer: computed('a') }, { a: [USER], viewer: [USER] }),
  ],
  ['an undefined type in a restriction', doc({ viewer: THIS }, { viewer: [{ type: 'nope' }] })],
  [
    'an undefined relation in a restriction',
    doc({ viewer: THIS }, { viewer: [{ type: 'user', relation: 'member' }] }),
  ],
  ['an undefined computed relation', doc({ viewer: computed('nope') })],
  ['a relation computed from itself', doc({ viewer: computed('viewer') })],
  ['an empty rewrite', doc({ viewer: {} })],
  ['relations computed from each other', doc({ a: computed('b'), b: computed('a') })],
  [
    'an intersection that needs itself',
    doc({ a: { intersection: { child: [THIS, computed('b')] } }, b: computed('a') }, { a: [USER] }),
  ],
  [
    'a computed cycle beside direct assignments',
    doc(
      { a: { union: { child: [THIS, computed('b')] } }, b: { union: { child: [THIS, computed('a')] } } },
      { a: [USER], b: [USER] },
    ),
  ],
  ['a userset that nobody can enter', doc({ a: THIS }, { a: [{ type: 'doc', relation: 'a' }] })],
  ['a parent relation that is undefined', doc({ a: from('parent', 'viewer') })],
  ['a relation no parent has', doc({ parent: THIS, a: from('parent', 'viewer') }, { parent: [USER] })],
  [
    'a parent relation that is computed',
    doc({ x: THIS, parent: computed('x'), a: from('parent', 'a') }, { x: [USER] }),
  ],
  [
    'wildcards as parents',
    doc(
      { parent: THIS, a: from('parent', 'b'), b: THIS },
      {
        parent: [{ type: 'doc', wildcard: {} }],
        b: [USER],
      },
    ),
  ],
  ['a union of one', doc({ a: { union: { child: [THIS] } } }, { a: [USER] })],
  ['schema version 1.0', { schema_version: '1.0', type_definitions: [USER] }],
  ['no types', model()],
  ['no schema version', { type_definitions: [USER] }],
  ['a space in a type name', model(type('us er'))],
  ['a space in a relation name', doc({ 'a b': THIS }, { 'a b': [USER] })],
  ['an exclusion from nothing', doc({ a: { difference: { subtract: THIS } } }, { a: [USER] })],
  ['an exclusion of nothing', doc({ a: { difference: { base: THIS } } }, { a: [USER] })],
  ['more than 100 types', model(...Array.from({ length: 101 }, (_, index) => type(`t${index}`)))],
];

export function modelPromises(url: () => string): void {
  async function write(model: object): Promise<Answer> {
    return (await StoreClient.create(url())).post('authorization-models', model);
  }

  it('gives back the model that was written', async () => {
    const store = await StoreClient.create(url());
    const id = await store.writeModel(modelFrom(DSL));
    const { status, body } = await store.get(`authorization-models/${id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      authorization_model: {
        id,
        schema_version: '1.1',
        type_definitions: [
          { type: 'user', relations: {} },
          {
            type: 'group',
            metadata: {
              relations: {
                member: {
                  directly_related_user_types: [
                    { type: 'user', condition: '' },
                    { type: 'user', wildcard: {}, condition: '' },
                    { type: 'group', relation: 'member', condition: '' },
                  ],
                },
              },
            },
          },
          {
            type: 'doc',
            relations: { parent: { this: {} }, viewer: { difference: expect.anything() as object } },
          },
        ],
        conditions: {},
      },
    });
  });

  it('lists models newest first', async () => {
    const store = await StoreClient.create(url());
    const older = await store.writeModel(modelFrom(DSL));
    const newer = await store.writeModel(modelFrom(DSL));
    expect((await store.get('authorization-models')).body).toMatchObject({
      authorization_models: [{ id: newer }, { id: older }],
      continuation_token: '',
    });
  });

  it('answers by the latest model unless one is named', async () => {
    const store = await StoreClient.with(url(), DSL, [['user:anne', 'owner', 'doc:1']]);
    const narrower = 'model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]';
    const id = await store.writeModel(modelFrom(narrower));
    expect(await store.check(['user:anne', 'owner', 'doc:1'])).toMatchObject({ status: 400 });
    const named = await store.check(['user:anne', 'viewer', 'doc:1'], { authorization_model_id: id });
    expect(named).toMatchObject({ status: 200, body: { allowed: false } });
  });

  it('answers 400 when the model is unknown or the store has none', async () => {
    const store = await StoreClient.create(url());
    expect(await store.check(['user:anne', 'viewer', 'doc:1'])).toMatchObject({
      status: 400,
      body: { code: 'latest_authorization_model_not_found' },
    });
    expect(await store.get(`authorization-models/${UNKNOWN}`)).toMatchObject({
      status: 400,
      body: { code: 'authorization_model_not_found' },
    });
  });

  // A code of what is missing would count as a fault of the configuration: shared/adapters/openfga-client.ts.
  it.each(INVALID)('refuses a model with %s', async (_fault, model) => {
    expect(await write(model)).toEqual({
      status: 400,
      body: {
        code: expect.not.stringContaining('not_found') as string,
        message: expect.any(String) as string,
      },
    });
  });
}
