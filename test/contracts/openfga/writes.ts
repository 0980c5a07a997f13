import { expect, it } from 'vitest';
import { StoreClient, tupleKeys, type Fact } from './client.ts';

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
    define editor: [user]
    define viewer: [user, user:*, group#member] or viewer from parent
    define both: viewer and editor`;

const ANNE: Fact = ['user:anne', 'viewer', 'doc:1'];

/** Tuples no model of ours allows, and the reason each is told. */
const INVALID: readonly (readonly [fact: Fact, reason: string])[] = [
  [['user:anne', 'viewer', 'nope:1'], "type 'nope' not found"],
  [['user:anne', 'nope', 'doc:1'], "relation 'doc#nope' not found"],
  [['nope:1', 'viewer', 'doc:1'], "type 'nope' not found"],
  [['group:eng#nope', 'viewer', 'doc:1'], "relation 'group#nope' not found"],
  [['user:anne', 'both', 'doc:1'], "type 'user' is not an allowed type restriction for 'doc#both'"],
  [['folder:1', 'viewer', 'doc:1'], "type 'folder' is not an allowed type restriction for 'doc#viewer'"],
  [
    ['user:*', 'editor', 'doc:1'],
    "the typed wildcard 'user:*' is not an allowed type restriction for 'doc#editor'",
  ],
  [
    ['group:eng#member', 'editor', 'doc:1'],
    "'group#member' is not an allowed type restriction for 'doc#editor'",
  ],
  [['folder:*', 'parent', 'doc:1'], "unexpected wildcard relationship with tupleset relation 'doc#parent'"],
  [
    ['group:eng#member', 'parent', 'doc:1'],
    "unexpected user 'group:eng#member' with tupleset relation 'doc#parent'",
  ],
  [['', 'viewer', 'doc:1'], "the 'user' field is malformed"],
  [['user:an:ne', 'viewer', 'doc:1'], "the 'user' field is malformed"],
  [['group:*#member', 'viewer', 'doc:1'], "the 'user' field is malformed"],
  [['user:anne', 'viewer', 'doc'], "invalid 'object' field format"],
  [['user:anne', 'viewer', 'doc:1:2'], "invalid 'object' field format"],
  [['user:anne', 'viewer', 'doc:*'], "the 'object' field cannot reference a typed wildcard"],
  [['group:eng#member', 'member', 'group:eng'], 'cannot write a tuple that is implicit'],
];

export function writePromises(url: () => string): void {
  const open = (facts: readonly Fact[] = []) => StoreClient.with(url(), DSL, facts);
  const many = (count: number): Fact[] =>
    Array.from({ length: count }, (_, index) => ['user:anne', 'viewer', `doc:x${index}`] as const);

  it.each(INVALID)('refuses to write %j: %s', async (fact, reason) => {
    const [user, relation, object] = fact;
    const message = `Invalid tuple '${object}#${relation}@${user}'. Reason: ${reason}`;
    expect(await (await open()).write([fact])).toEqual({
      status: 400,
      body: { code: 'validation_error', message },
    });
  });

  it('refuses names that are too long or hold a space', async () => {
    const store = await open();
    const refused: Fact[] = [
      ['user:anne', 'viewer', `doc:${'x'.repeat(300)}`],
      ['user:anne', 'v'.repeat(51), 'doc:1'],
      [`user:${'x'.repeat(510)}`, 'viewer', 'doc:1'],
      ['user:anne', 'viewer', 'doc: 1'],
    ];
    for (const fact of refused) {
      expect(await store.write([fact])).toMatchObject({ status: 400, body: { code: 'validation_error' } });
    }
  });

  it('refuses to write what is there and to delete what is not', async () => {
    const store = await open([ANNE]);
    const refused = { status: 400, body: { code: 'write_failed_due_to_invalid_input' } };
    expect(await store.write([ANNE])).toMatchObject(refused);
    expect(await store.delete([['user:bob', 'viewer', 'doc:1']])).toMatchObject(refused);
  });

  it('passes over what is there or not when told to ignore it', async () => {
    const store = await open([ANNE]);
    expect(await store.write([ANNE], { on_duplicate: 'ignore' })).toEqual({ status: 200, body: {} });
    expect(await store.delete([['user:bob', 'viewer', 'doc:1']], { on_missing: 'ignore' })).toEqual({
      status: 200,
      body: {},
    });
  });

  it('refuses an option it does not know', async () => {
    const answer = await (await open()).write([ANNE], { on_duplicate: 'maybe' });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_error' } });
  });

  it('refuses the same tuple twice in one request, ignoring or not, written or deleted', async () => {
    const store = await open();
    const refused = { status: 400, body: { code: 'cannot_allow_duplicate_tuples_in_one_request' } };
    expect(await store.write([ANNE, ANNE])).toMatchObject(refused);
    expect(await store.write([ANNE, ANNE], { on_duplicate: 'ignore' })).toMatchObject(refused);
    const both = { writes: tupleKeys([ANNE]), deletes: tupleKeys([ANNE]) };
    expect(await store.post('write', both)).toMatchObject(refused);
  });

  it('changes nothing when one tuple of many is refused', async () => {
    const store = await open([ANNE]);
    await store.write([['user:bob', 'viewer', 'doc:1'], ANNE]);
    expect((await store.check(['user:bob', 'viewer', 'doc:1'])).body).toMatchObject({ allowed: false });
  });

  it('takes 100 tuples at once, writes and deletes together, and no more', async () => {
    const store = await open();
    expect(await store.write(many(100))).toMatchObject({ status: 200 });
    const swap = { writes: tupleKeys([ANNE]), deletes: tupleKeys(many(100)) };
    expect(await store.post('write', swap)).toMatchObject({
      status: 400,
      body: { code: 'exceeded_entity_limit' },
    });
  });

  it('refuses a request that writes and deletes nothing', async () => {
    const store = await open();
    expect(await store.post('write', {})).toMatchObject({
      status: 400,
      body: { code: 'invalid_write_input' },
    });
    expect(await store.write([])).toMatchObject({ status: 400, body: { code: 'validation_error' } });
  });

  it('deletes what a newer model no longer knows', async () => {
    const store = await open([ANNE]);
    await store.writeModel({ schema_version: '1.1', type_definitions: [{ type: 'user' }] });
    expect(await store.delete([ANNE])).toMatchObject({ status: 200 });
  });
}
