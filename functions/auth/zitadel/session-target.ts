import * as z from 'zod';
import type { ZitadelDirectoryConfig } from '../../../shared/configuration/providers.ts';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { shaped } from '../../../shared/edge/json-body.ts';
import { unsigned, zitadelSigned } from '../../../shared/edge/zitadel-signature.ts';
import { ProviderUnavailable, Refusal } from '../../../shared/errors.ts';
import { linkedUser } from '../../../shared/people/links.ts';
import { migrationPaused } from '../../../shared/people/tenants.ts';
import type { Directory } from '../../../shared/ports/directory.ts';
import { originOf, type PasswordDeps } from '../deps.ts';
import { answerJson, password as passwordText } from '../http.ts';
import { accountOf, comparable } from '../password/accounts.ts';
import { mayCarry, recordCarried } from '../password/carry-over.ts';
import { isCut, LEAST_COST } from '../password/hashes.ts';
import { limitAccount } from '../password/login.ts';
import { recordRefused } from '../password/refused.ts';
import { retiredWithColumn } from '../password/retired.ts';

/** Of an execution on a request, as Zitadel sends it: protobuf in JSON. */
const Execution = z.object({
  request: z.object({
    sessionId: z.string().regex(/^[\w-]{1,64}$/),
    checks: z.object({ password: z.object({ password: passwordText }).optional() }).optional(),
  }),
});
const ReadSession = z.object({
  session: z.object({ factors: z.object({ user: z.object({ id: z.string() }) }) }),
});

const READ_MS = 5_000;
const PASSWORD_METHOD = 'AUTHENTICATION_METHOD_TYPE_PASSWORD';

interface SessionTargetDeps extends PasswordDeps {
  readonly zitadel: ZitadelDirectoryConfig;
  readonly directory: Directory;
}

/**
 * Carries a password over inside Zitadel's own sign-in: a target of an execution on the request SetSession. Where an account there has no
 * password and that of the application is typed, it is verified here and set there before the request goes on. It makes no account, and
 * its answer changes nothing of the request.
 */
export function sessionTargetRoute(deps: SessionTargetDeps): OwnRoute {
  return {
    path: '/api/v1/auth/zitadel/set-session',
    methods: ['POST'],
    // All calls come from one address, and are signed.
    quota: 'refusals',
    answer: (request, context) =>
      retiredWithColumn(deps, async () => {
        const { sessionId, checks } = await executionOf(request, context, deps);
        const typed = checks?.password?.password;
        if (typed !== undefined && !isCut(typed)) await carryAt(sessionId, typed, { request, context }, deps);
        return answerJson({});
      }),
  };
}

/** Throws Refusal `invalid_signature` and `invalid_request`. */
async function executionOf(
  { headers }: Request,
  context: RouteContext,
  { config, clock }: SessionTargetDeps,
): Promise<z.output<typeof Execution>['request']> {
  const header = headers.get('zitadel-signature');
  if (header === null) throw unsigned('no ZITADEL-Signature');
  const bytes = await zitadelSigned(header, context.body, config.signingKeys, clock);
  try {
    return shaped(JSON.parse(new TextDecoder().decode(bytes)), Execution).request;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal('invalid_request', 'a signed body that is no JSON');
  }
}

async function carryAt(
  sessionId: string,
  typed: string,
  from: { readonly request: Request; readonly context: RouteContext },
  deps: SessionTargetDeps,
): Promise<void> {
  const { database, directory, zitadel, config, hashing } = deps;
  const subject = await userOfSession(sessionId, deps);
  if (subject === undefined) return;
  const account = await accountOf(
    database,
    linkedUser({ issuer: zitadel.issuer, subject }, config.kanidmIssuer),
  );
  if (account === undefined || !mayCarry(account) || (await migrationPaused(database))) return;
  const hash = comparable(account);
  if (typeof hash === 'string' || !(await lacksPassword(subject, directory))) return;
  await limitAccount(account.email, deps);
  if (!(await hashing.verify(typed, hash))) {
    const refused = [{ userId: account.userId, why: 'wrong_password' as const }];
    await recordRefused(database, refused, originOf(from.request, from.context));
    return;
  }
  // As a hash: the plain text would be held against a policy of complexity, which the application had none of.
  const made = await hashing.hash(typed, Math.max(LEAST_COST, config.passwordCost));
  await recordCarried(account.userId, await directory.carryPassword(subject, { hash: made }), deps);
}

/** Only where it is certain: a password that is there is never overwritten. */
async function lacksPassword(id: string, directory: Directory): Promise<boolean> {
  const known = await directory.credentials(id);
  return known.outcome === 'known' && !known.kinds.includes(PASSWORD_METHOD);
}

/** Undefined for a session without a user. Throws ProviderUnavailable. */
async function userOfSession(
  sessionId: string,
  { zitadel, platform }: SessionTargetDeps,
): Promise<string | undefined> {
  try {
    const { status, text } = await platform.exchange({
      method: 'GET',
      url: `${zitadel.url}/v2/sessions/${sessionId}`,
      headers: { authorization: `Bearer ${zitadel.token}`, accept: 'application/json' },
      timeoutMs: READ_MS,
    });
    if (status !== 200) throw new Error(`status ${status}`);
    return ReadSession.safeParse(JSON.parse(text)).data?.session.factors.user.id;
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw new ProviderUnavailable(`Zitadel's session was not read: ${reason}`);
  }
}
