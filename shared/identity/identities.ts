import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';
import { organizationSubject } from './subjects.ts';

export type IdentityState = 'active' | 'suspended' | 'removed';

/** What one event changes; fields that it does not set are undefined. */
export interface Change {
  readonly subject: string;
  /** The event's position: per field the highest wins, whatever the order of arrival. */
  readonly position: number;
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly organization?: string | undefined;
  readonly state?: IdentityState | undefined;
  /** Tokens issued up to then are withdrawn; the latest of all events wins. */
  readonly tokensNotBefore?: Date | undefined;
  /** A life begins: the state is active, and older events are of a former life. */
  readonly created?: boolean | undefined;
}

export interface Identity {
  readonly subject: string;
  readonly state: IdentityState;
  readonly organization: string | null;
  /** Of the state: the higher wins; null while no event has set it. */
  readonly version: number | null;
  readonly tokensNotBefore: Date | null;
}

const IdentityRow = z.object({
  subject: z.string(),
  state: z.enum(['active', 'suspended', 'removed']),
  organization: z.string().nullable(),
  version: z.number().nullable(),
  tokensNotBefore: z.date().nullable(),
});
/** Doubled, still a safe integer. */
const MOST_POSITION = 2 ** 52 - 1;

/**
 * The higher version wins, and a removal over all of its life; one without a sequence is final. Twice the position, so that a
 * removal sorts between the life it ends and a new one.
 */
const VERSION = sql`case
  when state <> 'removed' then 2 * least(greatest(state_position, -1), ${MOST_POSITION}::bigint)
  when coalesce(removed_position, state_position) > 0
    then 2 * least(greatest(removed_position, state_position), ${MOST_POSITION}::bigint) + 1
  else ${Number.MAX_SAFE_INTEGER}::bigint end`;
const COLUMNS = sql`subject, state, organization, ${VERSION} as version, tokens_not_before as "tokensNotBefore"`;

/** The identity after a change. */
export interface Recorded extends Identity {
  /** This change set the state to a different one. */
  readonly changed: boolean;
  /** The change is of a former life: the user was created again since. */
  readonly outlived: boolean;
  /** The user's organisation was removed, and the user is not yet. */
  readonly orphaned: boolean;
}

/** A user of an organisation, and an upper bound of the positions of this life's events. */
export interface Member {
  readonly subject: string;
  readonly position: number;
}

const RecordedRow = IdentityRow.extend({
  changed: z.boolean(),
  outlived: z.boolean(),
  orphaned: z.boolean(),
});
const MemberRow = z.object({ subject: z.string(), position: z.number() });

/** The mirror of one issuer's users, built from events. Throws as `Database`. */
export interface Identities {
  /** Merges one event. `at`: now. */
  record(change: Change, at: Date): Promise<Recorded>;
  states(subjects: readonly string[]): Promise<Identity[]>;
  /** Users and removed organisations whose state changed since, by subject, from `after` on. */
  changedSince(
    since: Date,
    after: string,
    limit: number,
  ): Promise<(Identity & { readonly changedAt: Date })[]>;
  /** Users of an organisation that are not removed, by subject, from `after` on. */
  members(organization: string, after: string, limit: number): Promise<Member[]>;
}

export function identitiesOf(issuer: string, database: Pick<Database, 'query'>): Identities {
  return {
    async record(change, at) {
      const [row] = await database.query(merge(issuer, change, at), RecordedRow);
      if (row === undefined) throw new Error('an identity was neither inserted nor updated');
      return row;
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
    members: (organization, after, limit) =>
      database.query(
        sql`select subject, greatest(username_position, email_position, organization_position, created_position,
              state_position) as position
            from sallyport_identities
            where issuer = ${issuer} and organization = ${organization} and state <> 'removed' and subject > ${after}
            order by subject limit ${limit}`,
        MemberRow,
      ),
  };
}

/** Whether a change's field is newer than the stored one; null, hence false, where the change does not set it. */
const NEWER = {
  username: sql`excluded.username_position >= coalesce(kept.username_position, excluded.username_position)`,
  email: sql`excluded.email_position >= coalesce(kept.email_position, excluded.email_position)`,
  organization: sql`excluded.organization_position >= coalesce(kept.organization_position, excluded.organization_position)`,
  state: sql`excluded.state_position >= coalesce(kept.state_position, excluded.state_position)`,
};

/**
 * One statement, so that concurrent events are merged one after the other. A tombstone keeps no personal data, and only a
 * creation at a position above the removal ends it. Positions of scripts, below 0, have no bearing on that.
 */
function merge(issuer: string, change: Change, at: Date) {
  const {
    subject,
    position,
    username = null,
    email = null,
    organization = null,
    created = false,
    tokensNotBefore = null,
  } = change;
  const gone = change.state === 'removed';
  const standing = change.state === 'suspended' ? 'suspended' : 'active';
  const stands = created || (change.state !== undefined && !gone);
  const positionIf = (isSet: boolean) => (isSet ? position : null);
  const removedAt = sql`greatest(excluded.removed_position,
    coalesce(kept.removed_position, case when kept.state = 'removed' then kept.state_position end))`;
  const createdAt = sql`coalesce(greatest(kept.created_position, excluded.created_position), 0)`;
  const isRemoved = sql`coalesce(${removedAt} <= 0 or ${removedAt} >= ${createdAt}, false)`;
  const stood = sql`coalesce(kept.standing, case when kept.state = 'suspended' then 'suspended' else 'active' end)`;
  const stand = sql`case when ${NEWER.state} then excluded.standing else ${stood} end`;
  const state = sql`case when ${isRemoved} then 'removed' else ${stand} end`;
  const outlived = sql`coalesce(kept.created_position > ${position}::bigint and ${position}::bigint > 0, false)`;
  return sql`
    insert into sallyport_identities as kept (issuer, subject, username, username_position, email, email_position,
      organization, organization_position, created_position, removed_position, standing, state, state_position,
      state_changed_at, tokens_not_before, updated_at)
    values (${issuer}, ${subject}, ${gone ? null : username}, ${positionIf(username !== null)},
      ${gone ? null : email}, ${positionIf(email !== null)}, ${organization}, ${positionIf(organization !== null)},
      ${positionIf(created)}, ${positionIf(gone)}, ${standing}, ${gone ? 'removed' : standing}, ${positionIf(stands)},
      ${change.state === undefined ? null : at}, ${tokensNotBefore}, ${at})
    on conflict (issuer, subject) do update set
      username = case when ${isRemoved} then null when ${NEWER.username} then excluded.username else kept.username end,
      username_position = greatest(kept.username_position, excluded.username_position),
      email = case when ${isRemoved} then null when ${NEWER.email} then excluded.email else kept.email end,
      email_position = greatest(kept.email_position, excluded.email_position),
      organization = case when ${NEWER.organization} then excluded.organization else kept.organization end,
      organization_position = greatest(kept.organization_position, excluded.organization_position),
      created_position = greatest(kept.created_position, excluded.created_position),
      removed_position = ${removedAt},
      standing = ${stand},
      state = ${state},
      state_position = greatest(kept.state_position, excluded.state_position),
      state_changed_at = case when kept.state <> ${state} or excluded.state_changed_at is not null and not ${outlived}
          and kept.state <> 'removed' and ${state} = excluded.state
        then ${at} else kept.state_changed_at end,
      tokens_not_before = greatest(kept.tokens_not_before, excluded.tokens_not_before),
      updated_at = excluded.updated_at
    returning ${COLUMNS}, coalesce(state_changed_at = ${at}, false) as changed, ${outlived} as outlived,
      state <> 'removed' and exists (
        select from sallyport_identities as gone where gone.issuer = ${issuer}
          and gone.subject = ${organizationSubject('')}::text || kept.organization and gone.state = 'removed'
      ) as orphaned`;
}
