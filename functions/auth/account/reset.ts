import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { jsonBody, text } from '../../../shared/edge/json-body.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { ofMail, PEOPLE, PERSON, PersonShape } from '../../../shared/people/users.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { PasswordDeps } from '../deps.ts';
import { answerJson, mail, noContent, password } from '../http.ts';
import { MOST_ACCOUNTS } from '../password/accounts.ts';
import { limitAccount } from '../password/login.ts';
import { byFormOrJson, tokenPage } from '../pages.ts';
import { requirePasswords, retiredWithColumn } from '../password/retired.ts';
import { startUrl } from '../user.ts';
import { alike, REQUESTED, tokenDigest } from './link-tokens.ts';
import { confirmReset } from './reset-confirm.ts';

const PATH = '/api/v1/auth/reset-password';
const MINUTES = 30;
const Asked = z.object({ tenant: text(100).nullish(), email: mail });
const Confirmed = z.object({ token: text(256), new_password: password });
const ForgetfulRow = z.object({ ...PersonShape, hasPassword: z.boolean() });
type Forgetful = z.output<typeof ForgetfulRow>;

/** A new password by a mailed link. The same answer whether there is an account or not. */
export function resetRoutes(deps: PasswordDeps): OwnRoute[] {
  const shown = tokenPage({
    action: `${PATH}/confirm`,
    title: 'Choose a new password',
    words:
      'With the new password all your sessions end. If you did not ask for it, close this page: nothing has changed.',
    button: 'Set the password',
    password: 'New password',
  });
  const done = {
    title: 'The password is set',
    words: 'All sessions have ended. Sign in with the new password.',
  };
  const quota = deps.config.loginRate.address;
  return [
    {
      path: PATH,
      methods: ['GET', 'POST'],
      quota,
      answer: (request, context) =>
        retiredWithColumn(deps, async () => {
          if (request.method !== 'POST') {
            await requirePasswords(deps.database);
            return shown(request, context);
          }
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
          byFormOrJson(request, context, Confirmed, done, async (given) => {
            await confirmReset(given, context, deps);
            return noContent();
          }),
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
  const { address: from, id: run } = context;
  const entry = { who: 'anonymous', what: 'password_reset_requested', from, run } as const;
  const [only] = people;
  const subject = people.length === 1 ? only?.userId : null;
  await deps.database.transaction([auditInsert({ ...entry, subject }), ...alike(mails.flat())]);
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
