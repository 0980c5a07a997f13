import * as z from 'zod';
import type { IntrospectionConfig } from '../../../shared/configuration/issuers.ts';
import { ProviderUnavailable, type Refusal } from '../../../shared/errors.ts';
import type { Discovery, ProviderDeps } from '../../../shared/keys/discovery.ts';
import { boundOf, fetchJson, withoutNulls } from '../../../shared/keys/fetch-json.ts';
import type { Verdict, Verify } from './principal.ts';
import { identify, ORGANIZATION_CLAIM } from './principal.ts';
import { idTokenSign } from './verify.ts';
import { expiredToken, invalidToken } from './token.ts';
import { CLOCK_TOLERANCE_S } from './verify.ts';

/** Most milliseconds an active token is cached; a revocation at the provider takes effect within that time. */
export const ACTIVE_MS = 30_000;
export const INACTIVE_MS = 5_000;

const answerSchema = z.looseObject({
  active: z.boolean(),
  iss: z.string().optional(),
  sub: z.string().optional(),
  client_id: z.string().optional(),
  aud: z.union([z.string().transform((one) => [one]), z.array(z.string())]).default([]),
  exp: z.number().optional(),
  iat: z.number().optional().catch(undefined),
  nbf: z.number().optional(),
  [ORGANIZATION_CLAIM]: z.string().optional(),
});

type Answer = z.infer<typeof answerSchema>;

interface Times {
  readonly queriedAt: number;
  readonly now: number;
}

/**
 * Introspects opaque access tokens and personal access tokens (RFC 7662). Such a token names no issuer, so the providers
 * are queried one after another until one calls it active: a live token is disclosed to as few as possible. One that is away
 * matters only when no other calls the token active. Undefined without providers.
 */
export function createIntrospectors(
  providers: readonly (readonly [IntrospectionConfig, Discovery])[],
  deps: ProviderDeps,
): Verify | undefined {
  if (providers.length === 0) return undefined;
  const introspectEach = deps.collapse(async (token: string): Promise<Verdict> => {
    let away: ProviderUnavailable | undefined;
    for (const [config, discovery] of providers) {
      try {
        const queriedAt = deps.clock.now();
        const answer = await introspect(token, basic(config.clientId, config.clientSecret), discovery, deps);
        if (answer.active) return judge(answer, config, { queriedAt, now: deps.clock.now() });
      } catch (error) {
        if (!(error instanceof ProviderUnavailable)) throw error;
        away = error;
      }
    }
    if (away !== undefined) throw away;
    return rejected(invalidToken('inactive'), deps.clock.now());
  }, String);
  return (token) => introspectEach(token);
}

function rejected(refusal: Refusal, now: number): Verdict {
  return { refusal, untilMs: now + INACTIVE_MS };
}

async function introspect(
  token: string,
  authorization: string,
  discovery: Discovery,
  deps: ProviderDeps,
): Promise<Answer> {
  const bound = boundOf(deps);
  const { introspectionEndpoint: url } = await discovery.metadata();
  if (url === undefined)
    throw new ProviderUnavailable(`${discovery.issuerUrl}: names no introspection endpoint`);
  const init = {
    method: 'POST',
    headers: {
      authorization,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  };
  const parsed = answerSchema.safeParse(withoutNulls(await fetchJson(deps.fetch, url, { init, bound })));
  if (!parsed.success) throw new ProviderUnavailable(`${url}: not an introspection answer`);
  return parsed.data;
}

function judge(answer: Answer, config: IntrospectionConfig, { queriedAt, now }: Times): Verdict {
  const { issuer } = config;
  const reject = (refusal: Refusal): Verdict => rejected(refusal, now);
  if (answer.iss !== undefined && answer.iss !== issuer.url)
    return reject(invalidToken('issuer not trusted'));
  const { exp = Infinity, nbf = -Infinity } = answer;
  if (exp * 1000 <= now - CLOCK_TOLERANCE_S * 1000) return reject(expiredToken());
  if (nbf * 1000 > now + CLOCK_TOLERANCE_S * 1000) return reject(invalidToken('not valid yet'));
  const idToken = idTokenSign(answer);
  if (idToken !== undefined) return reject(invalidToken(idToken));
  if (!isMeantForUs(answer, config))
    return reject(invalidToken('neither audience nor organisation accepted'));
  return {
    identity: {
      ...identify(issuer, answer.sub, answer[ORGANIZATION_CLAIM]),
      // It was active when queried, after any withdrawal of older tokens.
      issuedAt: Math.max(queriedAt, (answer.iat ?? 0) * 1_000),
    },
    claims: answer,
    untilMs: Math.min(exp * 1000, now + ACTIVE_MS),
  };
}

/**
 * Zitadel calls every personal access token of the instance active, whichever client introspects, and adds that client and
 * its project to `aud`: there they prove nothing. Such an answer has no `client_id`, as the token was issued to no client;
 * without one only the organisation counts, at any issuer.
 */
function isMeantForUs(answer: Answer, { clientId, issuer, organizations }: IntrospectionConfig): boolean {
  const { aud, client_id: client } = answer;
  const meant = (audience: string): boolean =>
    issuer.audiences.includes(audience) && (audience !== clientId || issuer.name !== 'zitadel');
  if (client !== undefined && aud.some(meant)) return true;
  const organization = answer[ORGANIZATION_CLAIM];
  return organization !== undefined && organizations.includes(organization);
}

/** RFC 6749 §2.3.1: both halves are form-encoded first. */
function basic(id: string, secret: string): string {
  const encode = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
  return `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`;
}
