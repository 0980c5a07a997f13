import { SignJWT } from 'jose';
import { Bounded } from '../../../shared/caches/bounded.ts';
import type { AssertionConfig } from '../slice.ts';
import {
  makeSigningKeys,
  parseSigningKeys,
  type PublicKeySet,
  type SigningKeys,
} from '../../../shared/keys/signing-keys.ts';
import type { Clock, MaybePromise, Random } from '../../../shared/ports/runtime.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { Assertion, Checked, Principal } from '../authenticate/principal.ts';
import type { Tenancy } from '../authenticate/tenancies.ts';
import type { Granted } from '../authorize/authorize.ts';

/** `iss` of every assertion; its keys are at /.well-known/sallyport/jwks.json. */
const ASSERTION_ISSUER = 'sallyport';
const LIFETIME_S = 60;
/** An assertion is reused for half of its lifetime, so the upstream always has the other half left. */
const REUSE_MS = (LIFETIME_S * 1000) / 2;
const MAX_REMEMBERED = 10_000;

/** The content of an assertion; a Decision of the gateway fits. */
export interface Asserted {
  readonly principal: Principal | undefined;
  readonly tenancy: Tenancy | undefined;
  readonly grant: Pick<Granted, 'checked'>;
  readonly match: { readonly rule: { readonly target: string } };
}

export interface Asserter {
  /** The value of X-Gateway-Assertion; undefined without a principal, or when assertions are off. */
  readonly assert: (asserted: Asserted) => MaybePromise<string | undefined>;
  /** For /.well-known/sallyport/jwks.json: public members only. */
  publicJwks(): MaybePromise<PublicKeySet>;
}

export interface AssertionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const OFF: Asserter = { assert: () => undefined, publicJwks: () => ({ keys: [] }) };

/** Throws when the configured keys are not usable, without quoting them. */
export function createAsserter(config: AssertionConfig, deps: AssertionDeps): Asserter {
  switch (config.kind) {
    case 'off':
      return OFF;
    case 'keys':
      return signingAsserter(parseSigningKeys(config.jwks), deps);
    case 'ephemeral':
      return ephemeralAsserter(deps);
  }
}

function signingAsserter(keys: SigningKeys, deps: AssertionDeps): Asserter {
  const room = new Bounded<Assertion>(MAX_REMEMBERED, (gone) => {
    gone.jwt = '';
    gone.untilMs = 0;
  });
  const signAnew = async (principal: Principal, { target, tenancy, checked }: About): Promise<string> => {
    const issuedAt = Math.floor(deps.clock.now() / 1000);
    const claims = { ...claimsOf(principal, target, checked), ...tenantClaims(tenancy) };
    const jwt = await sign(keys, claims, issuedAt, deps.random.uuid());
    const { person } = principal;
    if (!person.isFound || (checked !== undefined && !person.has(checked))) return jwt;
    const { assertions } = checked ?? person;
    let kept = assertionFor(principal.caller, target, tenancy, assertions);
    if (kept === undefined) {
      kept = { room, caller: principal.caller, target, tenancy, jwt, untilMs: 0, used: false };
      assertions.push(kept);
    }
    kept.tenancy = tenancy;
    kept.jwt = jwt;
    kept.untilMs = issuedAt * 1000 + REUSE_MS;
    room.add(kept);
    return jwt;
  };
  return {
    assert({ principal, tenancy, grant: { checked }, match }) {
      if (principal === undefined) return undefined;
      const { target } = match.rule;
      const { assertions } = checked ?? principal.person;
      const known = assertionFor(principal.caller, target, tenancy, assertions);
      if (known === undefined || deps.clock.now() >= known.untilMs || !isSame(known.tenancy, tenancy))
        return signAnew(principal, { target, tenancy, checked });
      known.used = true;
      return known.jwt;
    },
    publicJwks: () => keys.published,
  };
}

/** For development: on Workers every isolate makes its own key. */
function ephemeralAsserter(deps: AssertionDeps): Asserter {
  let made: Asserter | undefined;
  const ready = async (): Promise<Asserter> => {
    const keys = await makeSigningKeys();
    if (made === undefined) {
      deps.log.warn('no ASSERTION_KEYS: assertions are signed with a key made for this run');
      made = signingAsserter(keys, deps);
    }
    return made;
  };
  return {
    assert: (asserted) =>
      made === undefined ? ready().then((it) => it.assert(asserted)) : made.assert(asserted),
    publicJwks: () => (made === undefined ? ready().then((it) => it.publicJwks()) : made.publicJwks()),
  };
}

interface About {
  readonly target: string;
  readonly tenancy: Tenancy | undefined;
  readonly checked: Checked | undefined;
}

/** Linear: targets are few, and so are a user's issuers and tenants. */
function assertionFor(
  caller: string,
  target: string,
  tenancy: Tenancy | undefined,
  assertions: readonly Assertion[],
): Assertion | undefined {
  for (const each of assertions)
    if (each.target === target && each.caller === caller && each.tenancy?.tenant === tenancy?.tenant)
      return each;
  return undefined;
}

/** A tenant may be named anew, and a role change. */
function isSame(known: Tenancy | undefined, now: Tenancy | undefined): boolean {
  return known === now || (known?.slug === now?.slug && known?.role === now?.role);
}

/** As in session tokens. */
function tenantClaims(tenancy: Tenancy | undefined): Record<string, string> {
  if (tenancy === undefined) return {};
  const { tenant, slug, role } = tenancy;
  return { tenant, tenant_slug: slug, role };
}

/** Without a relation found to hold: identity only. */
function claimsOf(
  { subject: sub, issuer }: Principal,
  target: string,
  checked: Checked | undefined,
): Record<string, string | undefined> {
  const identity = { sub, sub_iss: issuer, aud: target };
  if (checked === undefined) return identity;
  const { relation, object } = checked;
  const feature = object.startsWith('feature:') ? { feature: object.slice('feature:'.length) } : {};
  return { ...identity, ...feature, object, relation };
}

async function sign(
  keys: SigningKeys,
  claims: Record<string, string | undefined>,
  issuedAt: number,
  id: string,
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: keys.kid, typ: 'JWT' })
    .setIssuer(ASSERTION_ISSUER)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LIFETIME_S)
    .setJti(id)
    .sign(await keys.signingKey());
}
