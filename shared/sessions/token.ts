import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SignJWT, decodeProtectedHeader, jwtVerify } from 'jose';
import * as z from 'zod';
import type { SessionsConfig } from '../configuration/sessions.ts';
import { uuidOfHex } from '../uuid.ts';
import type { SessionKeys } from './keys.ts';

/** How a session began, as in sessions.auth_method: `jwt` by password, `kanidm` by OAuth2, `dual` by both. */
export const SessionMethod = z.enum(['jwt', 'kanidm', 'dual']);
export type SessionMethod = z.output<typeof SessionMethod>;

/** The claims of a session token beside iss, aud, iat and exp. */
export interface SessionClaims {
  /** users.user_id */
  readonly subject: string;
  readonly tenantId: string;
  readonly slug: string;
  readonly role: string;
  readonly sessionId: string;
  readonly method: SessionMethod;
}

const Claims = z.object({
  sub: z.guid(),
  tenant: z.guid(),
  tenant_slug: z.string(),
  role: z.string(),
  sid: z.guid(),
  auth_method: SessionMethod,
  iat: z.number(),
  exp: z.number(),
});

type Issuance = Pick<SessionsConfig, 'publicUrl' | 'audience' | 'accessSeconds'>;

/** An access token (RFC 9068). `nowSeconds`: its `iat`, in whole seconds since the epoch. */
export async function mintAccess(
  claims: SessionClaims,
  keys: SessionKeys,
  { publicUrl, audience, accessSeconds }: Issuance,
  nowSeconds: number,
): Promise<string> {
  const { subject, tenantId, slug, role, sessionId, method } = claims;
  return new SignJWT({ tenant: tenantId, tenant_slug: slug, role, sid: sessionId, auth_method: method })
    .setProtectedHeader({ alg: 'ES256', kid: keys.kid, typ: 'at+jwt' })
    .setIssuer(publicUrl)
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + accessSeconds)
    .sign(await keys.signingKey());
}

export type Access =
  | { readonly state: 'valid' | 'expired'; readonly claims: SessionClaims; readonly issuedAt: number }
  | { readonly state: 'invalid'; readonly why: string };

/** Verifies a token of ours. `nowMs`: milliseconds since the epoch. Never throws. */
export async function verifyAccess(
  token: string,
  keys: SessionKeys,
  { publicUrl, audience }: Omit<Issuance, 'accessSeconds'>,
  nowMs: number,
): Promise<Access> {
  try {
    const key = await keys.verificationKey(decodeProtectedHeader(token).kid);
    if (key === undefined) return { state: 'invalid', why: 'no key of ours has signed it' };
    // The time is judged below: of an expired token its holder is still known.
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      typ: 'at+jwt',
      issuer: publicUrl,
      audience,
      currentDate: new Date(0),
    });
    const { sub, tenant, tenant_slug, role, sid, auth_method, iat, exp } = Claims.parse(payload);
    return {
      state: exp * 1_000 > nowMs ? 'valid' : 'expired',
      issuedAt: iat * 1_000,
      claims: {
        subject: sub,
        tenantId: tenant,
        slug: tenant_slug,
        role,
        sessionId: sid,
        method: auth_method,
      },
    };
  } catch (error) {
    return { state: 'invalid', why: error instanceof Error ? error.name : 'unknown' };
  }
}

/** The session and the rotation that a refresh token is of. */
export interface RefreshName {
  readonly sessionId: string;
  readonly generation: number;
}

const MAC_USE = 'refresh token';
const ID_BYTES = 16;
const NAME_BYTES = ID_BYTES + 4;
const TOKEN_BYTES = NAME_BYTES + 32;
const PREFIX = 'sr1.';

/** Names session and generation and carries a MAC over both, so that an old one is recognised without a record of it. */
export function mintRefresh(name: RefreshName, keys: SessionKeys): string {
  const bytes = nameBytes(name);
  const [secret = new Uint8Array()] = keys.secrets(MAC_USE);
  return PREFIX + Buffer.concat([bytes, macOf(bytes, secret)]).toString('base64url');
}

/** Undefined for what none of the keys made. */
export function readRefresh(token: string, keys: SessionKeys): RefreshName | undefined {
  if (!token.startsWith(PREFIX) || token.length > 128) return undefined;
  const bytes = Buffer.from(token.slice(PREFIX.length), 'base64url');
  if (bytes.length !== TOKEN_BYTES) return undefined;
  const [name, mac] = [bytes.subarray(0, NAME_BYTES), bytes.subarray(NAME_BYTES)];
  if (!keys.secrets(MAC_USE).some((secret) => timingSafeEqual(mac, macOf(name, secret)))) return undefined;
  return { sessionId: uuidOfHex(name.toString('hex', 0, ID_BYTES)), generation: name.readUInt32BE(ID_BYTES) };
}

/** The text of sessions.access_token_hash and refresh_token_hash: SHA-256 in lower-case hex. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function nameBytes({ sessionId, generation }: RefreshName): Buffer {
  const bytes = Buffer.alloc(NAME_BYTES);
  bytes.write(sessionId.replaceAll('-', ''), 0, 'hex');
  bytes.writeUInt32BE(generation, ID_BYTES);
  return bytes;
}

function macOf(name: Uint8Array, secret: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(name).digest();
}
