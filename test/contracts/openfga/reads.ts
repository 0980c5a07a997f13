import { expect, it } from 'vitest';
import * as z from 'zod';
import { StoreClient, tupleKey, type Fact } from './client.ts';

const DSL = `model
  schema 1.1
type user
type folder
  relations
    define viewer: [user]
type doc
  relations
    define viewer: [user]
    define editor: [user]`;

const FACTS: readonly Fact[] = [
  ['user:anne', 'viewer', 'doc:1'],
  ['user:anne', 'editor', 'doc:2'],
  ['user:bob', 'viewer', 'doc:1'],
  ['user:anne', 'viewer', 'folder:1'],
];

const read = z.object({
  tuples: z.array(
    z.object({ key: z.object({ user: z.string(), relation: z.string(), object: z.string() }) }),
  ),
  continuation_token: z.string(),
});

export function readPromises(url: () => string): void {
  const open = () => StoreClient.with(url(), DSL, FACTS);

  it.each([
    ['an object', { object: 'doc:1' }, [0, 2]],
    ['an object and relation', { object: 'doc:2', relation: 'editor' }, [1]],
    ['a type and user', { object: 'doc:', user: 'user:anne' }, [0, 1]],
    ['a whole tuple', { object: 'doc:1', relation: 'viewer', user: 'user:bob' }, [2]],
    ['a type the model lacks', { object: 'nope:1' }, []],
    ['nothing', undefined, [0, 1, 2, 3]],
  ])('reads the tuples of %s', async (_name, tuple_key, expected) => {
    const { body } = await (await open()).post('read', { tuple_key });
    const keys = read.parse(body).tuples.map(({ key }) => key);
    expect(keys).toEqual(expected.map((index) => tupleKey(FACTS[index]!)));
  });

  it.each([
    {},
    { user: 'user:anne' },
    { object: 'doc:' },
    { relation: 'viewer' },
    { object: 'doc', user: 'user:anne' },
  ])('refuses to read by %j: an object type is needed, and an id or a user', async (tuple_key) => {
    const answer = await (await open()).post('read', { tuple_key });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_error' } });
  });

  it('reads page by page to the end, each tuple once', async () => {
    const store = await open();
    const first = read.parse((await store.post('read', { page_size: 3 })).body);
    const rest = { page_size: 3, continuation_token: first.continuation_token };
    const second = read.parse((await store.post('read', rest)).body);
    expect([...first.tuples, ...second.tuples].map(({ key }) => key)).toEqual(FACTS.map(tupleKey));
    expect(second.continuation_token).toBe('');
  });

  it('refuses page sizes over 100 and tokens it did not give', async () => {
    const store = await open();
    expect(await store.post('read', { page_size: 101 })).toMatchObject({
      status: 400,
      body: { code: 'page_size_invalid' },
    });
    expect(await store.post('read', { continuation_token: 'abcd' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_continuation_token' },
    });
  });
}
