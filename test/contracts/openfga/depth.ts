import { expect, it } from 'vitest';
import { StoreClient, type Fact } from './client.ts';

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

const EXCLUDING = `model
  schema 1.1
type user
type group
  relations
    define banned: [user, group#banned]
    define member: [user, group#member] but not banned`;

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
  });
}
