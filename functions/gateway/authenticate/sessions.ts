import * as z from 'zod';
import type { IssuerConfig } from '../../../shared/configuration/issuers.ts';
import type { SessionsConfig } from '../../../shared/configuration/sessions.ts';
import { sessionOf, type IssuerName } from '../../../shared/identity/subjects.ts';
import type { KeySource, VerificationKey } from '../../../shared/keys/key-source.ts';
import type { KeyRing } from '../../../shared/sessions/keys.ts';
import type { Located } from './people.ts';
import type { Claims, Identity } from './principal.ts';
import { tenancy } from './tenancies.ts';
import { invalidToken } from './token.ts';

/** The issuer of our own session tokens. */
export const SESSION = 'session';

export function sessionIssuer(
  { publicUrl, audience }: Pick<SessionsConfig, 'publicUrl' | 'audience'>,
  { shared, others }: { readonly shared: readonly IssuerName[]; readonly others: readonly IssuerName[] },
): IssuerConfig {
  return {
    name: SESSION,
    url: publicUrl,
    audiences: [audience],
    sharedSubjects: shared.includes(SESSION),
    others,
    typ: 'at+jwt',
    leewaySeconds: 0,
  };
}

/** SESSION_KEYS: all that they will ever be is known, so nothing is fetched. */
export function sessionKeySource(ring: KeyRing): KeySource {
  return {
    async find({ kid, alg }): Promise<readonly VerificationKey[]> {
      if (kid === undefined || alg !== 'ES256') return [];
      const key = await (await ring.current()).verificationKey(kid);
      return key === undefined ? [] : [{ id: kid, kid, alg, key }];
    },
    findNewer: () => Promise.resolve([]),
    refusal: () => undefined,
    holds: () => true,
    ping: () => Promise.resolve(),
    state: () => ({ state: 'fresh', ageSeconds: null, refused: [] }),
  };
}

/** Those of the application, which need not be of RFC 9562. */
const uuid = z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const SessionClaims = z.object({ tenant: uuid, tenant_slug: z.string(), role: z.string(), sid: uuid });

/** The tenant and the session of a token are its own claims. Throws Refusal `invalid_token` for one that lacks them. */
export function locateSession(identity: Identity, claims: Claims): Located {
  const read = SessionClaims.safeParse(claims);
  if (!read.success) throw invalidToken('no claims of a session');
  const { tenant, tenant_slug: slug, role, sid } = read.data;
  return {
    identity: { ...identity, session: sessionOf(identity.caller, sid) },
    tenancies: { all: [tenancy(tenant, slug, role)], fault: undefined },
    untilMs: Infinity,
  };
}
