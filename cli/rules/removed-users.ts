import type { RemovedUsers } from '../../functions/feature-sync/restore.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import type { Database } from '../../shared/ports/database.ts';
import { ISSUER_NAMES, subjectOf, userOf, type IssuerName } from '../../shared/identity/subjects.ts';

/** Users per query: bounds its parameter. */
const BATCH = 1_000;

/** From the tombstones in the mirror. `shared`: as in SHARED_SUBJECT_ISSUERS. */
export function removedUsers(database: Pick<Database, 'query'>, shared: readonly IssuerName[]): RemovedUsers {
  const issuers = ISSUER_NAMES.map((name) => ({ name, sharedSubjects: shared.includes(name) }));
  return async (users) => {
    const removed = new Set<string>();
    for (const issuer of issuers) {
      const subjects = users.flatMap((user) => subjectOf(issuer, user) ?? []);
      for (let at = 0; at < subjects.length; at += BATCH) {
        const identities = await identitiesOf(issuer.name, database).states(subjects.slice(at, at + BATCH));
        for (const { subject, state } of identities)
          if (state === 'removed') removed.add(userOf(issuer, subject));
      }
    }
    return removed;
  };
}
