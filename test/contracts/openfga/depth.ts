import { expect, it } from 'vitest';
import * as z from 'zod';
import { StoreClient, tupleKey, type Fact } from './client.ts';

const GROUPS = `model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define parent: [folder]
    define viewer: [user] or viewer from parent`;

/** A cycle through an exclusion: OpenFGA then follows tuples more cautiously, in the whole model. */
const EXCLUDING = `model
  schema 1.1
type user
type group
  relations
    define banned: [user, group#banned]
    define member: [user, group#member] but not banned`;

const COMPUTED = `model
  schema 1.1
type user
type doc
  relations
    define r0: [user]
${Array.from({ length: 30 }, (_, index) => `    define r${index + 1}: r${index}`).join('\n')}`;

const TOO_COMPLEX = { status: 400, body: { code: 'authorization_model_resolution_too_complex' } };

/** group:0 holds the members of group:1, which holds those of group:2, and so on; the user is in the last. */
function chain(length: number): Fact[] {
  const links = Array.from({ length }, (_, index): Fact => [
    `group:${index + 1}#member`,
    'member',
    `group:${index}`,
  ]);
  return [...links, ['user:deep', 'member', `group:${length}`]];
}

export function depthPromises(url: () => string): void {
  const open = (dsl: string, facts: readonly Fact[]) => StoreClient.with(url(), dsl, facts);
  const DEEP: Fact = ['user:deep', 'member', 'group:0'];
  const STRANGER: Fact = ['user:stranger', 'member', 'group:0'];
  const allowed = (value: boolean) => ({ status: 200, body: { allowed: value } });

  it('follows 25 nested groups and refuses to follow 26', async () => {
    expect(await (await open(GROUPS, chain(25))).check(DEEP)).toMatchObject(allowed(true));
    expect(await (await open(GROUPS, chain(26))).check(DEEP)).toMatchObject(TOO_COMPLEX);
  });

  it('follows 25 nested folders and refuses to follow 26', async () => {
    const nested = (length: number): Fact[] => [
      ...Array.from({ length }, (_, index): Fact => [`folder:${index + 1}`, 'parent', `folder:${index}`]),
      ['user:deep', 'viewer', `folder:${length}`],
    ];
    const question: Fact = ['user:deep', 'viewer', 'folder:0'];
    expect(await (await open(GROUPS, nested(25))).check(question)).toMatchObject(allowed(true));
    expect(await (await open(GROUPS, nested(26))).check(question)).toMatchObject(TOO_COMPLEX);
  });

  it('follows 24 nested groups where a cycle runs through an exclusion, and refuses to follow 25', async () => {
    expect(await (await open(EXCLUDING, chain(24))).check(DEEP)).toMatchObject(allowed(true));
    expect(await (await open(EXCLUDING, chain(25))).check(DEEP)).toMatchObject(TOO_COMPLEX);
  });

  it('denies who is in no group at all however deep they nest, unless an exclusion is on the cycle', async () => {
    const strangers = chain(40).filter(([user]) => user !== 'user:deep');
    expect(await (await open(GROUPS, strangers)).check(STRANGER)).toMatchObject(allowed(false));
    expect(await (await open(EXCLUDING, strangers)).check(STRANGER)).toMatchObject(TOO_COMPLEX);
  });

  it('says in a batch that one check went too deep', async () => {
    const store = await open(GROUPS, chain(40));
    const checks = [{ correlation_id: 'deep', tuple_key: tupleKey(DEEP) }];
    expect(await store.post('batch-check', { checks })).toMatchObject({
      status: 200,
      body: { result: { deep: { error: { input_error: 'authorization_model_resolution_too_complex' } } } },
    });
  });

  it('counts computed relations of one object when it lists users, not when it checks', async () => {
    const store = await open(COMPUTED, [['user:deep', 'r0', 'doc:1']]);
    expect(await store.check(['user:deep', 'r30', 'doc:1'])).toMatchObject(allowed(true));
    expect(await store.listUsers(['doc', '1'], 'r24', { type: 'user' })).toMatchObject({ status: 200 });
    expect(await store.listUsers(['doc', '1'], 'r25', { type: 'user' })).toMatchObject(TOO_COMPLEX);
  });

  it('lists objects without a bound, unless an exclusion is on a cycle', async () => {
    const plain = await open(GROUPS, chain(40));
    const { body } = await plain.listObjects('user:deep', 'member', 'group');
    expect(z.object({ objects: z.array(z.string()) }).parse(body).objects).toHaveLength(41);
    const excluding = await open(EXCLUDING, chain(40));
    expect(await excluding.listObjects('user:deep', 'member', 'group')).toMatchObject(TOO_COMPLEX);
  });

  it('comes to an end in groups that hold each other', async () => {
    const everyPair = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].flatMap((from, _index, all) =>
      all.filter((to) => to !== from).map((to): Fact => [`group:${from}#member`, 'member', `group:${to}`]),
    );
    const store = await open(GROUPS, [...everyPair, ['user:deep', 'member', 'group:13']]);
    expect(await store.check(['user:deep', 'member', 'group:1'])).toMatchObject(allowed(false));
    expect(await store.check(['group:12#member', 'member', 'group:1'])).toMatchObject(allowed(true));
  });

  it('lets nobody through an exclusion whose subtracted side runs in a circle', async () => {
    const store = await open(EXCLUDING, [
      ['user:anne', 'member', 'group:1'],
      ['group:2#banned', 'banned', 'group:1'],
      ['group:1#banned', 'banned', 'group:2'],
    ]);
    expect(await store.check(['user:anne', 'member', 'group:1'])).toMatchObject(allowed(false));
    expect(await store.listUsers(['group', '1'], 'member', { type: 'user' })).toMatchObject({
      body: { users: [] },
    });
  });
}
