import * as z from 'zod';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import type { LoginInput } from './input.ts';

const ADDED = [
  'user.human.added',
  'user.human.selfregistered',
  'user.machine.added',
  'user.added',
  'user.selfregistered',
];
const RENAMED = ['user.username.changed', 'user.domain.claimed'];
const MAILED = ['user.human.email.changed', 'user.email.changed'];
const MAIL_VERIFIED = ['user.human.email.verified', 'user.email.verified'];
const REMOVED = 'user.removed';
/** Of an organisation: all usernames are written anew when the demand for the domain begins or ends. */
const POLICY_CHANGED = ['org.policy.domain.added', 'org.policy.domain.changed', 'org.policy.domain.removed'];

const Event = z.object({
  id: z.string(),
  org: z.string(),
  type: z.string(),
  at: z.date(),
  user_name: z.string().nullable(),
  email: z.string().nullable(),
  by_policy: z.boolean(),
  /** The projections of users or of login names have not reduced it yet. */
  ahead: z.boolean(),
});

export type NameEvent = z.output<typeof Event>;

/** What happened to names and addresses of these users, oldest first. */
export async function nameEvents(
  zitadel: ZitadelDatabase,
  instance: string,
  ids: readonly string[],
): Promise<readonly NameEvent[]> {
  if (ids.length === 0) return [];
  const types = [...ADDED, ...RENAMED, ...MAILED, ...MAIL_VERIFIED, REMOVED];
  const readFrom = ['users', 'login_names'].flatMap((name) => zitadel.catalogue.versionOf(name) ?? []);
  const projections = readFrom.map((name) => `projections.${name}`);
  return zitadel.query(
    sql`select e.aggregate_id as id, e.owner as org, e.event_type as type, e.created_at as at,
          e.payload ->> 'userName' as user_name, e.payload ->> 'email' as email,
          e.event_type = any(${RENAMED}) and exists (
            select 1 from eventstore.events2 p where p.instance_id = e.instance_id and p.aggregate_type = 'org'
              and p.aggregate_id = e.owner and p.event_type = any(${POLICY_CHANGED}) and p.position = e.position) as by_policy,
          exists (select 1 from projections.current_states s where s.instance_id = e.instance_id
              and s.projection_name = any(${projections}) and s.position < e.position) as ahead
        from eventstore.events2 e
        where e.instance_id = ${instance} and e.aggregate_type = 'user' and e.aggregate_id = any(${ids})
          and e.event_type = any(${types})
        order by e.position, e.in_tx_order`,
    Event,
  );
}

/** Users who were renamed, got another e-mail or were removed: above this the search for a former name takes longer than one waits. */
const SEARCHED = 5_000;
const FOUND = 20;

export interface FormerOwners {
  readonly ids: readonly string[];
  /** False: there are more changes than were searched. */
  readonly complete: boolean;
}

/** Users that had the input as their name or address once, by the events. */
export async function formerOwners(
  zitadel: ZitadelDatabase,
  instance: string,
  { whole, name }: LoginInput,
  all: boolean,
): Promise<FormerOwners> {
  const changes = [...RENAMED, ...MAILED, REMOVED];
  const counted = await zitadel.query(
    sql`select count(*) as changes from (select 1 from eventstore.events2 where instance_id = ${instance} and aggregate_type = 'user'
          and event_type = any(${changes}) limit ${SEARCHED + 1}::int) as few`,
    z.object({ changes: z.number() }),
  );
  if (!all && (counted[0]?.changes ?? 0) > SEARCHED) return { ids: [], complete: false };
  // The first event of a user is that of its creation, whose name is the first one to be former.
  const fits = (payload: Sql): Sql =>
    sql`(lower(${payload} ->> 'userName') = any(${[whole, name]}) or lower(${payload} ->> 'email') = ${whole})`;
  const rows = await zitadel.query(
    sql`with changed as materialized (
          select aggregate_id as id, payload from eventstore.events2
          where instance_id = ${instance} and aggregate_type = 'user' and event_type = any(${changes}))
        select id from changed where ${fits(sql`payload`)}
        union
        select c.id from (select distinct id from changed) c cross join lateral (
          select e.payload from eventstore.events2 e
          where e.instance_id = ${instance} and e.aggregate_type = 'user' and e.aggregate_id = c.id
          order by e.sequence limit 1) first where ${fits(sql`first.payload`)}
        limit ${FOUND}::int`,
    z.object({ id: z.string() }),
  );
  return { ids: rows.map(({ id }) => id), complete: true };
}

const Domain = z.object({ org: z.string(), at: z.date() });

/** Organisations that had this domain verified, and removed it. */
export async function removedDomain(
  zitadel: ZitadelDatabase,
  instance: string,
  domain: string,
): Promise<readonly z.output<typeof Domain>[]> {
  return zitadel.query(
    sql`select aggregate_id as org, created_at as at from eventstore.events2
        where instance_id = ${instance} and aggregate_type = 'org' and event_type = 'org.domain.removed'
          and lower(payload ->> 'domain') = ${domain}
        order by position desc limit 5`,
    Domain,
  );
}

/** A name or address that a user had, and until when. */
export interface Former {
  readonly id: string;
  readonly org: string;
  readonly kind: 'former_login_name' | 'former_email';
  readonly text: string;
  readonly until: Date;
  readonly now: string | null;
  readonly how: 'renamed' | 'domain claimed' | 'policy changed' | 'removed';
}

/** Names and addresses that came to an end, of one user each, oldest first. */
export function formersOf(events: readonly NameEvent[]): readonly Former[] {
  const formers: Former[] = [];
  const current = new Map<string, { name: string | null; email: string | null }>();
  for (const event of events) {
    const { id, org, at } = event;
    const before = current.get(id) ?? { name: null, email: null };
    const removed = event.type === REMOVED;
    const after = removed
      ? { name: null, email: null }
      : { name: event.user_name ?? before.name, email: event.email ?? before.email };
    if (before.name !== null && after.name !== before.name)
      formers.push({
        id,
        org,
        kind: 'former_login_name',
        text: before.name,
        until: at,
        now: after.name,
        how: howOf(event),
      });
    if (before.email !== null && after.email !== before.email)
      formers.push({
        id,
        org,
        kind: 'former_email',
        text: before.email,
        until: at,
        now: after.email,
        how: removed ? 'removed' : 'renamed',
      });
    current.set(id, after);
  }
  return formers;
}

function howOf({ type, by_policy }: NameEvent): Former['how'] {
  if (type === REMOVED) return 'removed';
  if (type === 'user.domain.claimed') return 'domain claimed';
  return by_policy ? 'policy changed' : 'renamed';
}
