import * as z from 'zod';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import type { ProviderName } from '../../shared/ports/directory.ts';

/** A person with rows in any table; that of `users` may be gone. */
export interface Held {
  readonly id: string;
  readonly email: string | null;
  readonly tenantId: string | null;
  /** Ids of their accounts at providers. */
  readonly accounts: readonly string[];
}

/** Rows of one table about a person, beside that of `users`. */
interface Holding {
  readonly name: string;
  /** With `r` as its alias. */
  readonly table: Sql;
  readonly where: Sql;
  /** What an erasure leaves: assignments. Absent: nothing. `null`: the row as it is, since it holds no more than ids. */
  readonly reduced?: Sql | null;
  /** Over `r`, with `reduced`: there is nothing left to reduce. */
  readonly already?: Sql;
}

/** What a session that rows of the application name is reduced to: its times, and that it has ended. */
const REDUCED_SESSION = sql`access_token_hash = null, refresh_token_hash = null, ip_address = null, user_agent = null, device_info = null,
  kanidm_session_id = null`;
const IS_REDUCED = sql`(num_nonnulls(r.access_token_hash, r.refresh_token_hash, r.ip_address, r.user_agent, r.device_info, r.kanidm_session_id) = 0)`;

/**
 * Everything, in an order in which it can be deleted. `held`: within a transaction of `referencesTo`, so that sessions that rows of the
 * application name are told apart, and stay.
 */
export function holdingsOf(
  { id, email, tenantId, accounts }: Held,
  { held = false }: { readonly held?: boolean } = {},
): readonly Holding[] {
  const mine = sql`r.user_id = ${id}::uuid`;
  const ids = [id, ...accounts];
  const sameMail = (column: Sql): Sql => sql`lower(${column}) = lower(${email}::text)`;
  return [
    {
      name: 'refresh_families',
      table: sql`sallyport_sessions r`,
      where: sql`r.session_id in (select session_id from sessions where user_id = ${id}::uuid)`,
    },
    ...sessionsOf(mine, held),
    { name: 'links', table: sql`sallyport_links r`, where: mine },
    { name: 'marks', table: sql`sallyport_people r`, where: mine },
    { name: 'password_resets', table: sql`sallyport_resets r`, where: mine },
    {
      name: 'registrations',
      table: sql`sallyport_registrations r`,
      where: sql`r.tenant_id = ${tenantId}::uuid and ${sameMail(sql`r.email`)}`,
    },
    {
      name: 'mails',
      table: sql`sallyport_outbox r`,
      where: sql`(${mine} or (r.user_id is null and ${sameMail(sql`r.recipient`)}))`,
    },
    {
      name: 'invitation_steps',
      table: sql`sallyport_invitation_steps r`,
      where: sql`r.invitation_id in (select invitation_id from sallyport_invitations where user_id = ${id}::uuid)`,
    },
    { name: 'invitations', table: sql`sallyport_invitations r`, where: mine },
    {
      name: 'mail_suppressions',
      table: sql`sallyport_mail_suppressed r`,
      where: sql`r.address_hash = sha256(convert_to(lower(${email}::text), 'UTF8'))
        and not exists (select from users o where ${sameMail(sql`o.email`)} and o.user_id <> ${id}::uuid)`,
    },
    {
      name: 'accounts_known_by_events',
      table: sql`sallyport_identities r`,
      where: sql`r.subject = any(${ids}::text[])`,
      reduced: sql`username = null, email = null`,
      already: sql`(r.username is null and r.email is null)`,
    },
    {
      name: 'events',
      table: sql`sallyport_webhook_events r`,
      // A pending event is still to be applied, with its payload.
      where: sql`r.subject = any(${ids}::text[])`,
      reduced: sql`payload = '{}'`,
      already: sql`(r.payload = '{}' or r.status = 'pending')`,
    },
    {
      name: 'ledger',
      table: sql`sallyport_ledger r`,
      where: mine,
      reduced: sql`state = 'forgotten', external_id = null, reason = null, before = '{}'`,
      already: sql`r.state = 'forgotten'`,
    },
    {
      name: 'audit',
      table: sql`sallyport_audit r`,
      where: sql`(r.subject = ${id}::uuid or r.who = ${id}::text)`,
      reduced: sql`source = 'erased', detail = '{}'`,
      already: sql`(r.source = 'erased' or r.what = 'forgotten')`,
    },
    { name: 'figures', table: sql`sallyport_figures_people r`, where: mine, reduced: null },
  ];
}

function sessionsOf(mine: Sql, held: boolean): readonly Holding[] {
  const table = sql`sessions r`;
  if (!held) return [{ name: 'sessions', table, where: mine }];
  const isHeld = sql`r.session_id in (select session_id from sallyport_held)`;
  return [
    { name: 'sessions', table, where: sql`${mine} and not ${isHeld}` },
    {
      ...{ name: 'sessions_reduced', table, where: sql`${mine} and ${isHeld}` },
      ...{ reduced: REDUCED_SESSION, already: IS_REDUCED },
    },
  ];
}

/** The statement that erases a holding; null: none. */
export function erasing(holding: Holding): Sql | null {
  const { table, reduced } = holding;
  if (reduced === null) return null;
  if (reduced === undefined) return sql`delete from ${table} where ${erasable(holding)}`;
  return sql`update ${table} set ${reduced} where ${erasable(holding)}`;
}

/** An expression: the number of rows that `erasing` changes. */
export function counting(holding: Holding): Sql {
  return sql`(select count(*) from ${holding.table} where ${erasable(holding)})`;
}

function erasable({ where, already }: Holding): Sql {
  return already === undefined ? where : sql`${where} and not ${already}`;
}

const HeldRow = z.object({
  email: z.string().nullable(),
  tenantId: z.string().nullable(),
  accounts: z.array(z.object({ issuer: z.string().nullable(), subject: z.string() })),
});
export type FoundAccount = z.output<typeof HeldRow>['accounts'][number];

/** An account without an issuer, of the adopted database, is Kanidm's. `there`: where people move to. */
export function isAt(
  { issuer }: FoundAccount,
  there: { readonly provider: ProviderName; readonly issuer: string } | null,
): boolean {
  return issuer === null ? there?.provider !== 'zitadel' : issuer === there?.issuer;
}

/** Over `given.id`: accounts that a run made, or may have made before it crashed, and that no link and no user names. */
const OF_RUNS = sql`
  select l.issuer, l.subject from (
    select r.plan ->> 'issuer' as issuer, coalesce(b.external_id, b.user_id::text) as subject
    from sallyport_ledger b join sallyport_runs r on r.run_id = b.run_id
    where b.user_id = given.id and r.plan ? 'issuer' and (b.state in ('intended', 'gone', 'undoing')
      or (b.external_id is not null and b.state in ('created', 'linked', 'signed_in', 'kept')))
  ) l
  where not exists (select from sallyport_links k where k.issuer = l.issuer and k.subject = l.subject)
    and not exists (select from users k
      where k.kanidm_user_id = case when l.subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then l.subject::uuid end)`;

/** Their row, and their accounts; of a row of the adopted database without a link `issuer` is null. */
export async function readHeld(
  database: Pick<Database, 'query'>,
  id: string,
): Promise<{ readonly held: Held; readonly accounts: readonly FoundAccount[] }> {
  const [row] = await database.query(
    sql`select u.email, u.tenant_id as "tenantId",
          coalesce((select jsonb_agg(jsonb_build_object('issuer', issuer, 'subject', subject)) from (
            select l.issuer, l.subject from sallyport_links l where l.user_id = given.id
            union all
            select null, u.kanidm_user_id::text where u.kanidm_user_id is not null
              and not exists (select from sallyport_links l where l.user_id = given.id)
            union
            ${OF_RUNS}) a), '[]') as accounts
        from (select ${id}::uuid as id) given left join users u on u.user_id = given.id`,
    HeldRow,
  );
  const { email = null, tenantId = null, accounts = [] } = row ?? {};
  return { held: { id, email, tenantId, accounts: accounts.map(({ subject }) => subject) }, accounts };
}
