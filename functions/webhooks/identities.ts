import * as z from 'zod';
import { sql, type Database } from '../../shared/database.ts';

export type IdentityState = 'active' | 'suspended' | 'removed';

/** What one event says; a field it does not speak of is undefined. */
export interface Change {
  readonly subject: string;
  /** The event's position: for each field the highest one counts, whatever the order of arrival. */
  readonly position: number;
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly state?: IdentityState | undefined;
  /** Tokens issued up to then do not count any more; the latest of all events counts. */
  readonly tokensNotBefore?: Date | undefined;
}

export interface Identity {
  readonly subject: string;
  readonly state: IdentityState;
  /** Of the event that decided the state; null while none did. */
  readonly position: number | null;
  readonly tokensNotBefore: Date | null;
}

const IdentityRow = z.object({
  subject: z.string(),
  state: z.enum(['active', 'suspended', 'removed']),
  position: z.number().nullable(),
  tokensNotBefore: z.date().nullable(),
});
const COLUMNS = sql`subject, state, state_position as position, tokens_not_before as "tokensNotBefore"`;

/** Users of one issuer as events told of them: the mirror. Throws as `Database`. */
export interface Identities {
  /** Merges one event in; answers the state that now counts. `at`: now. */
  record(change: Change, at: Date): Promise<IdentityState>;
  states(subjects: readonly string[]): Promise<Identity[]>;
  /** Users whose state changed since, by subject, from `after` on. */
  changedSince(
    since: Date,
    after: string,
    limit: number,
  ): Promise<(Identity & { readonly changedAt: Date })[]>;
}

export function identitiesOf(issuer: string, database: Pick<Database, 'query'>): Identities {
  return {
    async record(change, at) {
      const [row] = await database.query(merge(issuer, change, at), IdentityRow);
      if (row === undefined) throw new Error('an identity was neither inserted nor updated');
      return row.state;
    },
    states: (subjects) =>
      database.query(
        sql`select ${COLUMNS} from sallyport_identities where issuer = ${issuer} and subject = any(${subjects})`,
        IdentityRow,
      ),
    changedSince: (since, after, limit) =>
      database.query(
        sql`select ${COLUMNS}, state_changed_at as "changedAt" from sallyport_identities
            where issuer = ${issuer} and state_changed_at >= ${since} and subject > ${after}
            order by subject limit ${limit}`,
        IdentityRow.extend({ changedAt: z.date() }),
      ),
  };
}

/** One statement, so that two events at the same moment are merged one after the other. A tombstone keeps no personal data. */
function merge(issuer: string, change: Change, at: Date) {
  const { subject, position, username = null, email = null, state = null, tokensNotBefore = null } = change;
  const gone = state === 'removed';
  const positionIf = (told: unknown) => (told === null ? null : position);
  return sql`
    insert into sallyport_identities as kept (issuer, subject, username, username_position, email, email_position,
      state, state_position, state_changed_at, tokens_not_before, updated_at)
    values (${issuer}, ${subject}, ${gone ? null : username}, ${positionIf(username)}, ${gone ? null : email},
      ${positionIf(email)}, ${state ?? 'active'}, ${positionIf(state)}, ${state === null ? null : at}, ${tokensNotBefore}, ${at})
    on conflict (issuer, subject) do update set
      username = case when kept.state = 'removed' or excluded.state = 'removed' then null
        when excluded.username_position >= coalesce(kept.username_position, excluded.username_position)
        then excluded.username else kept.username end,
      username_position = greatest(kept.username_position, excluded.username_position),
      email = case when kept.state = 'removed' or excluded.state = 'removed' then null
        when excluded.email_position >= coalesce(kept.email_position, excluded.email_position)
        then excluded.email else kept.email end,
      email_position = greatest(kept.email_position, excluded.email_position),
      state = case when kept.state = 'removed' or excluded.state = 'removed' then 'removed'
        when excluded.state_position >= coalesce(kept.state_position, excluded.state_position)
        then excluded.state else kept.state end,
      state_position = greatest(kept.state_position, excluded.state_position),
      state_changed_at = case when kept.state <> 'removed' and (excluded.state = 'removed'
          or excluded.state_position >= coalesce(kept.state_position, excluded.state_position))
        then excluded.state_changed_at else kept.state_changed_at end,
      tokens_not_before = greatest(kept.tokens_not_before, excluded.tokens_not_before),
      updated_at = excluded.updated_at
    returning ${COLUMNS}`;
}
