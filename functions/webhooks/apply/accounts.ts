import * as z from 'zod';
import type { Issuer } from '../../../shared/identity/subjects.ts';
import { linkedUser } from '../../../shared/people/links.ts';
import { sql, type Database } from '../../../shared/ports/database.ts';
import { uuidOf } from '../../../shared/uuid.ts';

/** The OpenFGA users that an account's events concern. */
export interface Account {
  /** The user that the account is linked to, else its subject: as the gateway names it. */
  readonly id: string;
  /** The subject, where the gateway named the account by it before; null where it is the id, or that of another user. */
  readonly former: string | null;
  /** The user has a row and goes on without the account: by another door, or the account was never its own. */
  readonly remains: boolean;
}

export interface Accounts {
  /** Throws as `Database`. */
  of(subject: string): Promise<Account>;
}

const AccountRow = z.object({
  linked: z.string().nullable(),
  /** The subject is the id of a user. */
  taken: z.boolean(),
  remains: z.boolean(),
});

/** Accounts of one issuer. Where its subjects are not shared, the gateway names them by these alone. */
export function accountsOf(issuer: Issuer, database: Pick<Database, 'query'>): Accounts {
  if (!issuer.sharedSubjects)
    return { of: (subject) => Promise.resolve({ id: subject, former: null, remains: false }) };
  const { url } = issuer;
  return {
    async of(subject) {
      const uuid = uuidOf(subject);
      // The clean-up drops auth_method.
      const [row] = await database.query(
        sql`select a.linked, exists (select from users s where s.user_id = ${uuid}::uuid) as taken,
              u.user_id is not null and (a.linked is null
                or coalesce(to_jsonb(u) ->> 'auth_method', 'kanidm') in ('password', 'dual')
                or exists (select from sallyport_links o where o.user_id = u.user_id and o.issuer <> ${url}::text)) as remains
            from (select ${linkedUser({ issuer: url, subject }, null)} as linked) a
              left join users u on u.user_id = coalesce(a.linked, ${uuid}::uuid) and u.deleted_at is null`,
        AccountRow,
      );
      if (row === undefined) throw new Error('a look-up without from has one row');
      const { linked, taken, remains } = row;
      const id = linked ?? subject;
      return { id, former: id === subject || taken ? null : subject, remains };
    },
  };
}
