import type { RemovedUsers } from '../../functions/feature-sync/restore.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import type { IssuerName } from '../../shared/configuration/config.ts';
import type { Database } from '../../shared/ports/database.ts';
import { ISSUER_NAMES, subjectOf, userOf } from '../../shared/identity/subjects.ts';
import { VARIABLES } from '../../shared/configuration/variables.ts';
import { Failure } from '../failure.ts';
import { environment } from '../terminal.ts';

/** SHARED_SUBJECT_ISSUERS, which maps subjects to OpenFGA users. Throws Failure. */
export function sharedSubjectIssuers(): readonly IssuerName[] {
  const text = (environment['SHARED_SUBJECT_ISSUERS'] ?? '').trim();
  const parsed = VARIABLES.shape.SHARED_SUBJECT_ISSUERS.safeParse(text === '' ? undefined : text);
  if (parsed.success) return parsed.data;
  throw new Failure(`SHARED_SUBJECT_ISSUERS: ${parsed.error.issues[0]?.message ?? 'cannot be used'}`);
}

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
