import { sql, type Database, type Sql } from '../ports/database.ts';
import { uuidOf } from './tenants.ts';
import { PEOPLE, PERSON, PersonRow, type Person } from './users.ts';

/** An account at a provider: the `iss` and `sub` of its tokens. Nothing else identifies it, a mail address least of all. */
export interface Account {
  readonly issuer: string;
  readonly subject: string;
}

/**
 * The id of the user whose account this is, as an SQL expression; null where it is nobody's. A row of the adopted database, with
 * kanidm_user_id and without a link, is Kanidm's. `kanidmIssuer`: KANIDM_ISSUER_URL.
 */
export function linkedUser({ issuer, subject }: Account, kanidmIssuer: string | null): Sql {
  const linked = sql`(select l.user_id from sallyport_links l where l.issuer = ${issuer}::text and l.subject = ${subject}::text)`;
  const uuid = uuidOf(subject);
  if (issuer !== kanidmIssuer || uuid === null) return linked;
  return sql`coalesce(${linked}, (select k.user_id from users k where k.kanidm_user_id = ${uuid}::uuid
    and not exists (select from sallyport_links l where l.user_id = k.user_id)))`;
}

/** Throws as `Database`. */
export async function personByLink(
  database: Pick<Database, 'query'>,
  account: Account,
  kanidmIssuer: string | null,
): Promise<Person | undefined> {
  const [person] = await database.query(
    sql`select ${PERSON} from ${PEOPLE} where u.user_id = ${linkedUser(account, kanidmIssuer)}`,
    PersonRow,
  );
  return person;
}

/** What made a link. */
export type LinkedBy = 'provisioning' | 'callback' | 'link' | 'lazy';

/** An insert of the link for a statement's CTE; no row where the account is bound already. `userId`: an expression. */
export function linkInsert({ issuer, subject }: Account, userId: Sql, via: LinkedBy): Sql {
  return sql`insert into sallyport_links (issuer, subject, user_id, via)
    values (${issuer}, ${subject}, ${userId}, ${via}) on conflict (issuer, subject) do nothing returning user_id`;
}
