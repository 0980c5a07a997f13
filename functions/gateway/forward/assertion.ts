import { SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { AssertionConfig } from '../slice.ts';
import {
  makeSigningKeys,
  parseSigningKeys,
  type PublicKeySet,
  type SigningKeys,
} from '../../../shared/keys/signing-keys.ts';
import type { Clock, MaybePromise, Random } from '../../../shared/ports/runtime.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { Principal } from '../authenticate/principal.ts';
import type { Granted } from '../authorize/authorize.ts';

/** `iss` of every assertion; its keys are at /.well-known/sallyport/jwks.json. */
export const ASSERTION_ISSUER = 'sallyport';
const LIFETIME_S = 60;
/** One assertion serves again for half of its life, so the upstream always has the other half left. */
const REUSE_MS = (LIFETIME_S * 1000) / 2;
const MAX_REMEMBERED = 10_000;

/** What an assertion speaks of; a Decision of the gateway fits. */
export interface Asserted {
  readonly principal: Principal | undefined;
  readonly grant: Pick<Granted, 'relation' | 'object' | 'wouldRefuse'>;
  readonly match: { readonly rule: { readonly target: string } };
}

export interface Asserter {
  /** The value of X-Gateway-Assertion; undefined without a principal, or when assertions are off. */
  assert(asserted: Asserted): MaybePromise<string | undefined>;
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
  const remembered = new LRUCache<string, { readonly jwt: string; readonly untilMs: number }>({
    max: MAX_REMEMBERED,
  });
  const signAnew = async (key: string, principal: Principal, asserted: Asserted): Promise<string> => {
    const issuedAt = Math.floor(deps.clock.now() / 1000);
    const jwt = await sign(keys, claimsOf(principal, asserted), issuedAt, deps.random.uuid());
    remembered.set(key, { jwt, untilMs: issuedAt * 1000 + REUSE_MS });
    return jwt;
  };
  return {
    assert: (asserted) => {
      const { principal } = asserted;
      if (principal === undefined) return undefined;
      const key = keyOf(principal, asserted);
      const known = remembered.get(key);
      if (known !== undefined && deps.clock.now() < known.untilMs) return known.jwt;
      return signAnew(key, principal, asserted);
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

/** Neither callers nor targets nor relations contain a space, and the object is last: no two questions share a key. */
function keyOf(principal: Principal, { grant, match }: Asserted): string {
  const proven = grant.wouldRefuse === undefined;
  return `${principal.caller} ${match.rule.target} ${proven ? `${grant.relation ?? ''} ${grant.object ?? ''}` : ''}`;
}

/** A shadow rule lets through what it would refuse; then nothing was granted, and nothing is said to be. */
function claimsOf(principal: Principal, { grant, match }: Asserted): Record<string, string | undefined> {
  const { subject: sub, issuer } = principal;
  const identity = { sub, sub_iss: issuer, aud: match.rule.target };
  if (grant.wouldRefuse !== undefined || grant.object === undefined) return identity;
  const feature = grant.object.startsWith('feature:')
    ? { feature: grant.object.slice('feature:'.length) }
    : {};
  return { ...identity, ...feature, object: grant.object, relation: grant.relation };
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
