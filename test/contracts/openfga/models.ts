import { expect, it } from 'vitest';
import { modelFrom, StoreClient, type Answer } from './client.ts';
import { INVALID_MODELS, MALFORMED_MODELS } from './invalid-models.ts';

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
    const named = await store.check(['user:anne', 'viewer', 'doc:1'], [], { authorization_model_id: id });
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

  it.each(INVALID_MODELS)('refuses a model with $fault', async ({ model, message }) => {
    expect(await write(model)).toEqual({
      status: 400,
      body: { code: 'invalid_authorization_model', message },
    });
  });

  it.each(MALFORMED_MODELS)('answers $code to a model with $fault', async ({ model, code }) => {
    expect(await write(model)).toMatchObject({ status: 400, body: { code } });
  });
}
