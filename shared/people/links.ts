import { sql, type Sql } from '../ports/database.ts';
import { uuidOf } from '../uuid.ts';

/** An account at a provider: the `iss` and `sub` of its tokens. Nothing else identifies it, a mail address least of all. */
export interface Account {
  readonly issuer: string;
  readonly subject: string;
}

/**
 * The id of the user whose account this is, as an SQL expression; null where it is no user's. A row of the adopted database, with
 * kanidm_user_id and without a link, is Kanidm's. `kanidmIssuer`: KANIDM_ISSUER_URL.
 */
export function linkedUser({ issuer, subject }: Account, kanidmIssuer: string | null): Sql {
  const linked = sql`(select l.user_id from sallyport_links l where l.issuer = ${issuer}::text and l.subject = ${subject}::text)`;
  const uuid = uuidOf(subject);
  if (issuer !== kanidmIssuer || uuid === null) return linked;
  return sql`coalesce(${linked}, (select k.user_id from users k where k.kanidm_user_id = ${uuid}::uuid
    and not exists (select from sallyport_links l where l.user_id = k.user_id)))`;
}
