import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { jsonBody, text } from '../../../shared/edge/json-body.ts';
import { Refusal } from '../../../shared/errors.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { activeTenant, type Tenant } from '../../../shared/people/tenants.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { PasswordDeps } from '../deps.ts';
import { answerJson, mail, noContent, password } from '../http.ts';
import { limitAccount } from '../password/login.ts';
import { byFormOrJson, tokenPage } from '../pages.ts';
import { requirePasswords, retiredWithColumn } from '../password/retired.ts';
import { requireStrong } from './policy.ts';
import { alike, invalidToken, REQUESTED, tokenDigest } from './link-tokens.ts';

const PATH = '/api/v1/auth/register';
const HOURS = 24;
/** One @ with something on either side: the mail that is sent there is what proves an address. */
const address = mail.regex(/^[^\s@]+@[^\s@]+$/);
const Asked = z.object({ tenant: text(100), email: address, password, full_name: text(255) });
const Confirmed = z.object({ token: text(256) });
const KnownRow = z.object({ email: z.string(), fullName: z.string().nullable(), deleted: z.boolean() });

/** Registration by password: pending until the owner of the address confirms it, so that no account is made with another's address. */
export function registerRoutes(deps: PasswordDeps): OwnRoute[] {
  const shown = tokenPage({
    action: `${PATH}/confirm`,
    title: 'Confirm your account',
    words:
      'Somebody, we think you, registered with this address and chose a password. If it was not you, close this page: no account is made.',
    button: 'Confirm',
  });
  const quota = deps.config.loginRate.address;
  const open = <T>(work: () => Promise<T>): Promise<T> =>
    retiredWithColumn(deps, async () => {
      const { newUsers } = deps.config;
      if (newUsers !== 'password' && newUsers !== 'both')
        throw new Refusal('registration_closed', `NEW_USERS is ${newUsers}`);
      return work();
    });
  return [
    {
      path: PATH,
      methods: ['POST'],
      quota,
      answer: (_request, context) =>
        open(async () => {
          const asked = await jsonBody(context, Asked);
          await requirePasswords(deps.database);
          await register(asked, context, deps);
          return answerJson(REQUESTED, 202);
        }),
    },
    {
      path: `${PATH}/confirm`,
      methods: ['GET', 'POST'],
      quota,
      answer: (request, context) =>
        open(async () => {
          if (request.method !== 'POST') {
            await requirePasswords(deps.database);
            return shown(request, context);
          }
          const done = { title: 'Your account is there', words: 'Sign in with the password that you chose.' };
          return byFormOrJson(request, context, Confirmed, done, async ({ token }) => {
            await confirm(token, context, deps);
            return noContent();
          });
        }),
    },
  ];
}

/** The same work with and without an account of this address: neither the answer nor its time shows which. */
async function register(
  asked: z.output<typeof Asked>,
  { address: from, id: run }: RouteContext,
  deps: PasswordDeps,
): Promise<void> {
  await requireStrong(asked.password, [asked.email, asked.full_name, asked.tenant], deps);
  await limitAccount(asked.email, deps);
  const hash = await deps.hashing.hash(asked.password, deps.config.passwordCost);
  const tenant = await activeTenant(deps.database, asked.tenant);
  const [known] = await deps.database.query(
    sql`select email, full_name as "fullName", deleted_at is not null as deleted from users where lower(email) = lower(${asked.email}) and tenant_id = ${tenant?.tenantId ?? null}::uuid
        order by deleted_at is not null, email = ${asked.email} desc limit 1`,
    KnownRow,
  );
  const entry = { who: 'anonymous', what: 'registration_requested', from, run } as const;
  const statements = tenant === undefined ? [] : await pending(asked, tenant, hash, known, deps);
  await deps.database.transaction([auditInsert(entry), ...alike(statements)]);
  deps.outbox?.nudge();
}

async function pending(
  { email, full_name }: z.output<typeof Asked>,
  { tenantId, slug }: Tenant,
  hash: string,
  known: z.output<typeof KnownRow> | undefined,
  { outbox, random, sessions }: PasswordDeps,
): Promise<Sql[]> {
  // Without mail it could not be confirmed.
  if (outbox === null) return [];
  // The table holds the address of a deleted user for them alone, and they get no mail.
  if (known?.deleted === true) return [];
  if (known !== undefined) {
    // No value of the request: it may not be the owner's.
    const values = { name: known.fullName ?? known.email, link: `${sessions.publicUrl}/` };
    return [await outbox.enqueue({ to: known.email, tenant: slug, kind: 'already-registered', values })];
  }
  const to = { to: email, tenant: slug };
  const token = random.hex(32);
  const link = `${sessions.publicUrl}${PATH}/confirm?token=${token}`;
  const values = { name: full_name, link, hours: String(HOURS) };
  return [
    sql`insert into sallyport_registrations (token_hash, tenant_id, email, full_name, password_hash, expires_at)
        values (${tokenDigest(token)}, ${tenantId}::uuid, ${email}, ${full_name}, ${hash}, now() + interval '1 hour' * ${HOURS}::int)`,
    await outbox.enqueue({ ...to, kind: 'confirm-registration', values, expiresIn: HOURS * 3_600 }),
  ];
}

const MadeRow = z.object({ spent: z.boolean(), made: z.boolean() });

/** Makes the user, once. Throws Refusal `invalid_reset_token`. */
async function confirm(token: string, context: RouteContext, { database }: PasswordDeps): Promise<void> {
  const [row] = await database.query(
    sql`with spent as (
          delete from sallyport_registrations where token_hash = ${tokenDigest(token)} and expires_at > now()
          returning tenant_id, email, full_name, password_hash
        ), made as (
          insert into users (tenant_id, email, full_name, password_hash, email_verified, email_verified_at, password_changed_at)
          select s.tenant_id, s.email, s.full_name, s.password_hash, true, now(), now()
          from spent s join tenants t on t.tenant_id = s.tenant_id
          where t.status = 'active' and t.deleted_at is null
            and not exists (select from users u where u.tenant_id = s.tenant_id and lower(u.email) = lower(s.email))
          on conflict do nothing returning user_id
        ), audited as (
          insert into sallyport_audit (who, what, subject, source, run)
          select user_id::text, 'registered', user_id, ${context.address}::text, ${context.id}::text from made
        )
        select exists (select from spent) as spent, exists (select from made) as made`,
    MadeRow,
  );
  if (row?.spent !== true) throw invalidToken();
  if (!row.made)
    throw invalidToken('There is an account with this address by now. Sign in, or ask for a new password.');
}
