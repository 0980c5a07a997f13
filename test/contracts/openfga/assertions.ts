import { expect, it } from 'vitest';
import { modelFrom, StoreClient, tupleKey } from './client.ts';

const DSL = 'model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]';
const UNKNOWN = '01H00000000000000000000000';

export function assertionPromises(url: () => string): void {
  const question = tupleKey(['user:anne', 'viewer', 'doc:1']);

  async function open(): Promise<{ store: StoreClient; path: string }> {
    const store = await StoreClient.create(url());
    return { store, path: `assertions/${await store.writeModel(modelFrom(DSL))}` };
  }

  it('keeps the assertions of a model, the last set written', async () => {
    const { store, path } = await open();
    expect((await store.get(path)).body).toMatchObject({ assertions: [] });
    await store.put(path, { assertions: [{ tuple_key: question, expectation: false }] });
    const assertion = { tuple_key: question, expectation: true, contextual_tuples: [question] };
    expect(await store.put(path, { assertions: [assertion] })).toEqual({ status: 204, body: undefined });
    expect((await store.get(path)).body).toMatchObject({
      assertions: [{ ...assertion, contextual_tuples: [{ ...question, condition: null }] }],
    });
  });

  it('refuses assertions the model does not know, and more than 100', async () => {
    const { store, path } = await open();
    const unknown = { tuple_key: { ...question, relation: 'nope' }, expectation: true };
    expect(await store.put(path, { assertions: [unknown] })).toMatchObject({
      status: 400,
      body: { code: 'validation_error' },
    });
    const many = Array.from({ length: 101 }, () => ({ tuple_key: question, expectation: true }));
    expect(await store.put(path, { assertions: many })).toMatchObject({
      status: 400,
      body: { code: 'assertions_too_many_items' },
    });
  });

  it('answers 400 authorization_model_not_found for a model it does not have', async () => {
    const { store } = await open();
    expect(await store.get(`assertions/${UNKNOWN}`)).toMatchObject({
      status: 400,
      body: { code: 'authorization_model_not_found' },
    });
  });
}
