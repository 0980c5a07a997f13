import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

/** What the upstream found out about X-Gateway-Assertion: `verified`, `absent`, `not checked`, or `refused: <why>`. */
export type Verdict = string;

export type VerifyAssertion = (token: string | undefined) => Promise<Verdict>;

/** The `iss` of every gateway. */
const ISSUER = 'sallyport';
/** The `aud` the gateway writes for this upstream: the name of the rule's target. */
const TARGET = 'upstream';

/** What any upstream needs to trust the gateway and nothing else: its published keys. */
export function assertionVerifier(jwksUrl: string | undefined): VerifyAssertion {
  const keys =
    jwksUrl === undefined ? undefined : createRemoteJWKSet(new URL(jwksUrl), { cooldownDuration: 1_000 });
  return async (token) => {
    if (token === undefined) return 'absent';
    if (keys === undefined) return 'not checked';
    try {
      await jwtVerify(token, keys, { issuer: ISSUER, audience: TARGET, algorithms: ['ES256'] });
      return 'verified';
    } catch (error) {
      return `refused: ${error instanceof errors.JOSEError ? error.code : 'the keys of the gateway are out of reach'}`;
    }
  };
}
