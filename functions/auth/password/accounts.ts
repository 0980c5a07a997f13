import * as z from 'zod';
import { personDeadlineOf, personDeadlinePassed } from '../../../shared/invitations/deadline.ts';
import { ofMail, PEOPLE, PERSON, PersonShape } from '../../../shared/people/users.ts';
import { sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import { usableHash, type UsableHash } from './hashes.ts';

const AccountRow = z.object({
  ...PersonShape,
  passwordHash: z.string().nullable(),
  locked: z.boolean(),
  deadlinePassed: z.boolean(),
  deadline: z
    .string()
    .nullable()
    .transform((text) => (text === null ? null : new Date(text))),
});

/** A person, and what their password has to do with signing in. */
export type Account = z.output<typeof AccountRow>;

const Found = z.object({
  accounts: z.array(AccountRow),
  dearest: z.string().nullable(),
  most: z.number().nullable(),
});

export interface Accounts {
  readonly accounts: readonly Account[];
  /** The highest cost of a hash in use; null while there is none. */
  readonly dearest: number | null;
  /** How many accounts one address has at most. */
  readonly most: number;
}

/**
 * A sign-in that names no tenant compares with this many accounts at most, those used last: each costs a hash, and so does every
 * refused sign-in without a tenant.
 */
export const MOST_ACCOUNTS = 4;

const ACCOUNT = sql`${PERSON}, u.password_hash as "passwordHash", coalesce(u.locked_until > now(), false) as locked,
  ${personDeadlinePassed(sql`u.user_id`, sql`u.tenant_id`)} as "deadlinePassed",
  ${personDeadlineOf(sql`u.user_id`, sql`u.tenant_id`)} as deadline`;

/** The account of one user; `userId`: an expression. Throws as `Database`. */
export async function accountOf(
  database: Pick<Database, 'query'>,
  userId: Sql,
): Promise<Account | undefined> {
  const [row] = await database.query(
    sql`select to_jsonb(a) as account from (select ${ACCOUNT} from ${PEOPLE} where u.user_id = ${userId}) a`,
    z.object({ account: AccountRow }),
  );
  return row?.account;
}

/** Accounts of an address, in one round trip. Throws as `Database`. */
export async function accountsOf(
  database: Pick<Database, 'query'>,
  email: string,
  tenant: string | null,
): Promise<Accounts> {
  const [found] = await database.query(
    sql`select
        coalesce((select jsonb_agg(to_jsonb(a)) from (
          select ${ACCOUNT} from ${PEOPLE} where ${ofMail(email, tenant)}
          order by u.last_login_at desc nulls last, u.user_id limit ${MOST_ACCOUNTS}
        ) a), '[]'::jsonb) as accounts,
        (select max(substr(password_hash, 5, 2)) from users where password_hash ~ ${USABLE}) as dearest,
        (select most_per_address from sallyport_sign_in) as most`,
    Found,
  );
  const { accounts = [], dearest = null, most = null } = found ?? {};
  return {
    accounts,
    dearest: dearest === null ? null : Number(dearest),
    most: Math.min(most ?? 1, MOST_ACCOUNTS),
  };
}

// Word for word the condition of idx_users_password_cost, which serves it: a parameter would hide that from the planner.
const USABLE = sql`'^\\$2[aby]\\$(0[4-9]|1[0-6])\\$[./A-Za-z0-9]{53}$'`;

/** Why no comparison is made with the hash of an account. */
export type Barred = 'locked' | 'inactive' | 'provider_only' | 'unusable_hash';

/** The hash to compare with, or why there is none. */
export function comparable(account: Account): UsableHash | Barred {
  if (!account.active) return 'inactive';
  if (account.authMethod === 'kanidm' || account.passwordHash === null) return 'provider_only';
  if (account.locked) return 'locked';
  return usableHash(account.passwordHash) ?? 'unusable_hash';
}
