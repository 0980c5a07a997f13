import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { jsonBody } from '../../../shared/edge/json-body.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { sql } from '../../../shared/ports/database.ts';
import { markEnded } from '../../../shared/sessions/revocation.ts';
import { endingAll, sessionEnding, which } from '../../../shared/sessions/store.ts';
import { requireCaller, type Caller } from '../caller.ts';
import { originOf, type PasswordDeps } from '../deps.ts';
import { noContent, password } from '../http.ts';
import { usableHash } from '../password/hashes.ts';
import { limitAccount, refusedSignIn } from '../password/login.ts';
import { recordRefused, type Refused } from '../password/refused.ts';
import { retiredWithColumn } from '../password/retired.ts';
import { carriedAgain } from '../password/carry-over.ts';
import { requireStrong } from './policy.ts';

const Body = z.object({ current_password: password, new_password: password });
const HashRow = z.object({ hash: z.string().nullable(), locked: z.boolean() });
const EndedRow = z.object({ changed: z.boolean(), ids: z.array(z.string()) });

/** A new password for the caller, by the current one; all other sessions end. */
export function changeRoute(deps: PasswordDeps): OwnRoute {
  return {
    path: '/api/v1/auth/change-password',
    methods: ['POST'],
    quota: deps.config.loginRate.address,
    answer: (request, context) =>
      retiredWithColumn(deps, async () => {
        const caller = await requireCaller(request, context, deps);
        const given = await jsonBody(context, Body);
        const { email, slug } = caller.session;
        await requireStrong(given.new_password, [email, slug], deps);
        await limitAccount(email, deps);
        await change(given, caller, { request, context }, deps);
        if (deps.carryOver !== undefined)
          deps.platform.background(deps.carryOver.changed(caller.session, given.new_password));
        return noContent();
      }),
  };
}

/** Throws Refusal `invalid_credentials`. */
async function change(
  given: z.output<typeof Body>,
  { session }: Caller,
  { request, context }: { readonly request: Request; readonly context: RouteContext },
  deps: PasswordDeps,
): Promise<void> {
  const { userId, sessionId, authMethod } = session;
  const origin = originOf(request, context);
  const refuse = async (why: Refused['why']): Promise<never> => {
    await recordRefused(deps.database, [{ userId, why }], origin);
    throw refusedSignIn([{ userId, why }]);
  };
  const [row] = await deps.database.query(
    sql`select password_hash as hash, coalesce(locked_until > now(), false) as locked from users where user_id = ${userId}::uuid`,
    HashRow,
  );
  const hash = usableHash(row?.hash ?? null);
  if (row === undefined || hash === undefined || authMethod === 'kanidm') return refuse('provider_only');
  if (row.locked) return refuse('locked');
  if (!(await deps.hashing.verify(given.current_password, hash))) return refuse('wrong_password');
  const renewed = await deps.hashing.hash(given.new_password, deps.config.passwordCost);
  const { address: from, id: run } = context;
  const entry = { who: userId, what: 'password_changed', subject: userId, from, run } as const;
  const [done] = await endingAll(
    deps.database,
    userId,
    sql`with person as (
          update users set password_hash = ${renewed}, password_changed_at = now(), failed_login_attempts = 0, locked_until = null
          where user_id = ${userId}::uuid and password_hash = ${row.hash} and auth_method <> 'kanidm' and status = 'active'
            and deleted_at is null
          returning user_id
        ), ended as (${sessionEnding(
          sql`${which.othersOf(userId, sessionId)} and exists (select from person)`,
          'password changed',
        )}), links as (delete from sallyport_resets where user_id in (select user_id from person)),
        forgotten as (${carriedAgain(sql`person`)}), audited as (${auditInsert(entry, sql`person`)})
        select exists (select from person) as changed, coalesce((select array_agg(id) from ended), '{}') as ids`,
    EndedRow,
  );
  if (done?.changed !== true) return refuse('inactive');
  await markEnded(done.ids, deps);
}
