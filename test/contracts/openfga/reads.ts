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

const changes = z.object({
  changes: z.array(z.object({ operation: z.string(), tuple_key: z.object({ object: z.string() }) })),
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

  it('lists changes oldest first, and the same token again at the end', async () => {
    const store = await open();
    await store.delete([FACTS[0]!]);
    const all = changes.parse((await store.get('changes')).body);
    const operations = all.changes.map(({ operation }) => operation.replace('TUPLE_OPERATION_', ''));
    expect(operations).toEqual(['WRITE', 'WRITE', 'WRITE', 'WRITE', 'DELETE']);
    const token = encodeURIComponent(all.continuation_token);
    const after = changes.parse((await store.get(`changes?continuation_token=${token}`)).body);
    expect(after).toEqual({ changes: [], continuation_token: all.continuation_token });
  });

  it('lists the changes of one type, and refuses its token for another', async () => {
    const store = await open();
    const ofFolders = changes.parse((await store.get('changes?type=folder')).body);
    expect(ofFolders.changes.map(({ tuple_key }) => tuple_key.object)).toEqual(['folder:1']);
    const token = encodeURIComponent(ofFolders.continuation_token);
    expect(await store.get(`changes?type=doc&continuation_token=${token}`)).toMatchObject({
      status: 400,
      body: { code: 'query_string_type_continuation_token_mismatch' },
    });
  });
}
