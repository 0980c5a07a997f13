import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { ofMail, PEOPLE, PERSON, PersonShape } from '../../../shared/people/users.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import { markEnded } from '../../../shared/sessions/revocation.ts';
import { sessionEnding, which } from '../../../shared/sessions/store.ts';
import { answerJson, jsonBody, mail, noContent, password, text } from '../http.ts';
import { MOST_ACCOUNTS } from '../password/accounts.ts';
import type { PasswordDeps } from '../password/deps.ts';
import { limitAccount } from '../password/login.ts';
import { retiredWithColumn } from '../password/retired.ts';
import { startUrl } from '../user.ts';
import { byFormOrJson, tokenPage } from './pages.ts';
import { carriedAgain } from '../password/carry-over.ts';
import { requireStrong } from './policy.ts';

const PATH = '/api/v1/auth/reset-password';
const MINUTES = 30;
const Asked = z.object({ tenant: text(100).nullish(), email: mail });
const Confirmed = z.object({ token: text(256), new_password: password });
const ForgetfulRow = z.object({ ...PersonShape, hasPassword: z.boolean() });
type Forgetful = z.output<typeof ForgetfulRow>;

export const REQUESTED = { status: 'accepted' };

/** Tokens of mailed links are kept as SHA-256 alone. */
export function tokenDigest(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/** A new password by a mailed link. The same answer whether there is an account or not. */
export function resetRoutes(deps: PasswordDeps): OwnRoute[] {
  const shown = tokenPage({
    path: PATH,
    action: `${PATH}/confirm`,
    title: 'Choose a new password',
    words:
      'With the new password all your sessions end. If you did not ask for it, close this page: nothing has changed.',
    button: 'Set the password',
    password: 'New password',
  });
  const quota = deps.config.loginRate.address;
  return [
    {
      path: PATH,
      methods: ['GET', 'POST'],
      quota,
      answer: (request, context) =>
        retiredWithColumn(deps, async () => {
          if (request.method !== 'POST') return shown(request, context);
          const { email, tenant } = await jsonBody(context, Asked);
          await limitAccount(email, deps);
          await ask(email, tenant ?? null, context, deps);
          return answerJson(REQUESTED, 202);
        }),
    },
    {
      path: `${PATH}/confirm`,
      methods: ['POST'],
      quota,
      answer: (request, context) =>
        retiredWithColumn(deps, () =>
          byFormOrJson(
            request,
            context,
            Confirmed,
            {
              title: 'The password is set',
              words: 'All sessions have ended. Sign in with the new password.',
            },
            async (given) => {
              await confirm(given, context, deps);
              return noContent();
            },
            jsonBody,
          ),
        ),
    },
  ];
}

async function ask(
  email: string,
  tenant: string | null,
  context: RouteContext,
  deps: PasswordDeps,
): Promise<void> {
  const people = await deps.database.query(
    sql`select ${PERSON}, (u.password_hash is not null and u.auth_method <> 'kanidm') as "hasPassword"
        from ${PEOPLE} where ${ofMail(email, tenant)} order by u.last_login_at desc nulls last, u.user_id limit ${MOST_ACCOUNTS}`,
    ForgetfulRow,
  );
  const mails = await Promise.all(
    people.filter(({ active }) => active).map((person) => mailed(person, deps)),
  );
  const entry = {
    who: 'anonymous',
    what: 'password_reset_requested',
    from: context.address,
    run: context.id,
  } as const;
  const [only] = people;
  const subject = people.length === 1 ? only?.userId : null;
  // In any case a transaction: that there is an account shows in nothing but the mail.
  await deps.database.transaction([auditInsert({ ...entry, subject }), ...mails.flat()]);
  deps.outbox?.nudge();
}

async function mailed(person: Forgetful, deps: PasswordDeps): Promise<Sql[]> {
  const { outbox, random, sessions } = deps;
  if (outbox === null) return [];
  const { email, slug: tenant, fullName, userId } = person;
  const [name, to] = [fullName ?? email, { to: email, tenant, userId }];
  if (!person.hasPassword) {
    const values = { name, start_url: startUrl(person, deps) ?? sessions.publicUrl };
    return [await outbox.enqueue({ ...to, kind: 'password-elsewhere', values })];
  }
  const token = random.hex(32);
  const values = { name, link: `${sessions.publicUrl}${PATH}?token=${token}`, minutes: String(MINUTES) };
  return [
    sql`insert into sallyport_resets (token_hash, user_id, expires_at)
        values (${tokenDigest(token)}, ${userId}::uuid, now() + interval '1 minute' * ${MINUTES}::int)`,
    await outbox.enqueue({ ...to, kind: 'password-reset', values, expiresIn: MINUTES * 60 }),
  ];
}

const OwnerRow = z.object({ userId: z.string(), email: z.string(), slug: z.string() });
const DoneRow = z.object({ userId: z.string().nullable(), ids: z.array(z.string()) });

/** Throws Refusal `invalid_reset_token` and `weak_password`; a token that is refused for its password is not spent. */
async function confirm(
  { token, new_password }: z.output<typeof Confirmed>,
  context: RouteContext,
  deps: PasswordDeps,
): Promise<void> {
  const digest = tokenDigest(token);
  const [owner] = await deps.database.query(
    sql`select u.user_id as "userId", u.email, t.slug from sallyport_resets r join ${PEOPLE} on u.user_id = r.user_id
        where r.token_hash = ${digest} and r.expires_at > now() and ${SETTABLE}`,
    OwnerRow,
  );
  if (owner === undefined) throw invalidToken();
  await requireStrong(new_password, [owner.email, owner.slug], deps);
  const hash = await deps.hashing.hash(new_password, deps.config.passwordCost);
  const { userId } = owner;
  const entry = {
    who: userId,
    what: 'password_reset',
    subject: userId,
    from: context.address,
    run: context.id,
  } as const;
  const [done] = await deps.database.query(
    sql`with spent as (
          delete from sallyport_resets where user_id = ${userId}::uuid
            and exists (select from sallyport_resets where token_hash = ${digest} and expires_at > now())
          returning user_id, token_hash
        ), person as (
          update users u set password_hash = ${hash}, password_changed_at = now(), failed_login_attempts = 0, locked_until = null
          where u.user_id in (select user_id from spent where token_hash = ${digest}) and u.status = 'active'
            and u.deleted_at is null and u.password_hash is not null and u.auth_method <> 'kanidm'
          returning u.user_id
        ), ended as (${sessionEnding(which.allOf(sql`(select user_id from person)`), 'password reset')}),
        forgotten as (${carriedAgain(sql`person`)}), audited as (${auditInsert(entry, sql`person`)})
        select (select user_id from person) as "userId", coalesce((select array_agg(id) from ended), '{}') as ids`,
    DoneRow,
  );
  if (done === undefined || done.userId === null) throw invalidToken();
  await markEnded(done.ids, deps);
}

/** A reset gives nobody a password who has none: people of the provider sign in there alone. */
const SETTABLE = sql`u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null
  and u.password_hash is not null and u.auth_method <> 'kanidm'`;

export function invalidToken(detail?: string): Refusal {
  return new Refusal(
    'invalid_reset_token',
    'unknown, spent or expired',
    detail === undefined ? {} : { detail },
  );
}
