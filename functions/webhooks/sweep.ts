import { TUPLES_PER_WRITE, type Tuple, type TupleFilter, type Tuples } from '../../shared/tuples.ts';

/** The type of users in the model; see shared/subjects.ts. */
const USER_TYPE = 'user';

/** Deletes every tuple of a user, whatever the object's type, and those about the user. Throws RelationsUnavailable. */
export async function sweep(user: string, tuples: Tuples): Promise<void> {
  const types = await tuples.objectTypes();
  for (const type of types) await deleteAll({ user, object: `${type}:` }, tuples);
  if (types.includes(USER_TYPE)) await deleteAll({ object: user }, tuples);
}

/** Reads from the start each time, since a continuation is not promised to survive deletions in front of it. */
async function deleteAll(filter: TupleFilter, tuples: Tuples): Promise<void> {
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
    for (let from = 0; from < page.tuples.length; from += TUPLES_PER_WRITE)
      await tuples.write({ deletes: page.tuples.slice(from, from + TUPLES_PER_WRITE) });
  }
}

function same(one: Tuple, other: Tuple): boolean {
  return one.user === other.user && one.relation === other.relation && one.object === other.object;
}
