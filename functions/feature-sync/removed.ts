import type { Tuple } from '../../shared/tuples.ts';

/** Which of these OpenFGA users their identity provider has removed. Throws as `Database`. */
export type RemovedUsers = (users: readonly string[]) => Promise<ReadonlySet<string>>;

/** The tuples in two: of users who are still there, and of those who are not. */
export async function partByRemoval(
  tuples: readonly Tuple[],
  removed: RemovedUsers,
): Promise<{ readonly present: readonly Tuple[]; readonly gone: readonly Tuple[] }> {
  const users = await removed([...new Set(tuples.map(({ user }) => user))]);
  return {
    present: tuples.filter(({ user }) => !users.has(user)),
    gone: tuples.filter(({ user }) => users.has(user)),
  };
}
