import * as z from 'zod';
import type { SessionsConfig } from '../../shared/configuration/sessions.ts';
import { cookie, cookieNames, readCookie } from '../../shared/sessions/cookies.ts';
import type { SessionKeys } from '../../shared/sessions/keys.ts';

/** Seconds in which a browser may open the provider's page once more. */
const KEPT_SECONDS = 600;
const USE = 'invitation';
const MARK_BYTES = 9;

const Kept = z.object({
  /** Of the token, base64url. */
  hash: z.string(),
  url: z.string(),
  /** Milliseconds since the epoch. */
  until: z.number(),
});

type Cookies = Pick<SessionsConfig, 'secure'>;

/** One cookie for each link, named as those of sessions are, so that no upstream gets it. */
function nameOf(hash: Uint8Array, config: Cookies): string {
  return `${cookieNames(config).access}_invite_${Buffer.from(hash.subarray(0, MARK_BYTES)).toString('base64url')}`;
}

/** A Set-Cookie value that keeps where a link led this browser. */
export async function keep(
  hash: Uint8Array,
  { url, nowMs }: { readonly url: string; readonly nowMs: number },
  keys: SessionKeys,
  config: Cookies,
): Promise<string> {
  const kept = { hash: Buffer.from(hash).toString('base64url'), url, until: nowMs + KEPT_SECONDS * 1_000 };
  return cookie(nameOf(hash, config), await keys.seal(JSON.stringify(kept), USE), KEPT_SECONDS, config);
}

/** Where a link led this browser a short time ago; undefined for another browser. */
export async function keptUrl(
  hash: Uint8Array,
  { cookies, nowMs }: { readonly cookies: string | null; readonly nowMs: number },
  keys: SessionKeys,
  config: Cookies,
): Promise<string | undefined> {
  const value = readCookie(cookies, nameOf(hash, config));
  const text = value === undefined ? undefined : await keys.open(value, USE);
  if (text === undefined) return undefined;
  const kept = Kept.parse(JSON.parse(text));
  return kept.hash === Buffer.from(hash).toString('base64url') && kept.until > nowMs ? kept.url : undefined;
}
