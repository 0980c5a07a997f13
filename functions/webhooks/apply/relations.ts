import { TUPLES_PER_WRITE, type Tuple, type TupleFilter, type Tuples } from '../../../shared/ports/tuples.ts';

/** The type of users in the model; see shared/identity/subjects.ts. */
const USER_TYPE = 'user';

/** Deletes every tuple whose user or object is this user, for all object types. Throws RelationsUnavailable. */
export function sweep(user: string, tuples: Tuples): Promise<void> {
  return replaceAll(user, tuples, () => undefined);
}

/**
 * Writes for `to` every tuple whose user or object is `from`, and deletes it there. `renamed`: objects that go by the user's own
 * name. Throws RelationsUnavailable.
 */
export function move(
  {
    from,
    to,
    renamed,
  }: { readonly from: string; readonly to: string; readonly renamed: ReadonlyMap<string, string> },
  tuples: Tuples,
): Promise<void> {
  return replaceAll(from, tuples, (tuple) => ({
    ...tuple,
    user: tuple.user === from ? to : tuple.user,
    object: tuple.object === from ? to : (renamed.get(tuple.object) ?? tuple.object),
  }));
}

type Replace = (tuple: Tuple) => Tuple | undefined;

async function replaceAll(user: string, tuples: Tuples, replace: Replace): Promise<void> {
  const types = await tuples.objectTypes();
  for (const type of types) await replaceFound({ user, object: `${type}:` }, tuples, replace);
  if (types.includes(USER_TYPE)) await replaceFound({ object: user }, tuples, replace);
}

/** Each deletes one and writes one at most. */
const AT_ONCE = TUPLES_PER_WRITE / 2;

/** Reads from the start each time: a continuation is not guaranteed to survive deletions before it. */
async function replaceFound(filter: TupleFilter, tuples: Tuples, replace: Replace): Promise<void> {
  let before: Tuple | undefined;
  let continuation: string | undefined;
  for (;;) {
    const page = await tuples.read(filter, continuation);
    const [first] = page.tuples;
    if (first === undefined) {
      if (page.next === undefined) return;
      continuation = page.next;
      continue;
    }
    if (before !== undefined && same(before, first)) throw new Error('a deleted tuple is still read');
    before = first;
    continuation = undefined;
    for (let from = 0; from < page.tuples.length; from += AT_ONCE) {
      const deletes = page.tuples.slice(from, from + AT_ONCE);
      await tuples.write({ writes: deletes.flatMap((each) => replace(each) ?? []), deletes });
    }
  }
}

function same(one: Tuple, other: Tuple): boolean {
  return one.user === other.user && one.relation === other.relation && one.object === other.object;
}
