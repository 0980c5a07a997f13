import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import type { Code } from '../codes.ts';
import { CountersUnavailable, Refusal } from '../errors.ts';
import type { RatePolicy, TakeRequest, Taken } from '../ports/counters.ts';

/** Counters of this process: the guard saves work, so it must not cost a round trip. */
export interface LocalCounters {
  take(request: TakeRequest): Taken;
}

/** Per address and instance. Coarse: many people may share one address, and their own quotas come after it. */
const ADDRESS_POLICY: RatePolicy = { name: 'address', limit: 6_000, windowMs: 60_000 };
/**
 * Far above the refusals of a sender with a stale secret. No protection against guessing, since a right guess passes: secrets
 * must be long.
 */
const REFUSED_POLICY: RatePolicy = { name: 'refused', limit: 600, windowMs: 60_000 };
const IPV6_PREFIX_PARTS = 4;
/** In ipaddr.js' own spelling: most addresses, and none of them is parsed. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Parsing an IPv6 address, or finding that a text is none, takes tens of microseconds, for every request. */
const networks = new LRUCache<string, string>({ max: 10_000 });
/** An IPv6 address has at most 45 characters (RFC 4291 §2.2); a zone may follow. Bounds the table's memory. */
const LONGEST_KEPT = 64;

/** Refusals of unauthenticated callers. */
const UNPROVED: ReadonlySet<Code> = new Set<Code>([
  'invalid_signature',
  'missing_token',
  'invalid_token',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'body_too_large',
]);

/**
 * An IPv4 address unchanged, an IPv6 address by its /64 (what one customer usually owns, RFC 6177);
 * all other texts share one name.
 */
export function network(address: string): string {
  if (IPV4.test(address)) return address;
  const known = networks.get(address);
  if (known !== undefined) return known;
  const parsed = parsedNetwork(address);
  if (address.length <= LONGEST_KEPT) networks.set(address, parsed);
  return parsed;
}

function parsedNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const prefix = parsed.parts.slice(0, IPV6_PREFIX_PARTS).map((part) => part.toString(16));
  return `${prefix.join(':')}::/64`;
}

/** The limited caller without a principal. No issuer is named `address`. */
export function addressCaller(address: string): string {
  return `address|${network(address)}`;
}

/**
 * Bounds the work that one address can cause: verification of uncached tokens (call it right before, not for cached ones),
 * public own routes. Throws Refusal `rate_limited`, and CountersUnavailable when its memory is full.
 */
export function guardAddress(address: string, counters: LocalCounters): void {
  const taken = counters.take({ caller: addressCaller(address), policy: ADDRESS_POLICY });
  if (!taken.allowed) throw rateLimited(ADDRESS_POLICY, taken);
}

/**
 * Counts a refusal against its address and returns the refusal to answer with: `rate_limited` when there were too many. Only
 * refusals count, and only after the proof was checked: a signed delivery passes whatever else comes from its address.
 */
export function countRefusal(refusal: Refusal, address: string, counters: LocalCounters): Refusal {
  if (!UNPROVED.has(refusal.code)) return refusal;
  try {
    const taken = counters.take({ caller: addressCaller(address), policy: REFUSED_POLICY });
    if (taken.allowed) return refusal;
    const { reason, detail, headers } = rateLimited(REFUSED_POLICY, taken);
    return new Refusal('rate_limited', `${reason}: ${refusal.reason}`, {
      ...(detail && { detail }),
      headers,
    });
  } catch (error) {
    if (!(error instanceof CountersUnavailable)) throw error;
    return refusal;
  }
}

/** draft-ietf-httpapi-ratelimit-headers-11. */
export interface RateHeaders {
  readonly 'RateLimit-Policy': string;
  readonly RateLimit: string;
}

interface Rendered {
  readonly name: string;
  readonly policy: string;
}

const rendered = new WeakMap<RatePolicy, Rendered>();

export function rateHeaders(policy: RatePolicy, taken: Taken): RateHeaders {
  const { name, policy: text } = rendered.get(policy) ?? render(policy);
  return { 'RateLimit-Policy': text, RateLimit: `${name};r=${taken.remaining};t=${seconds(taken.resetMs)}` };
}

/** 429, with the fields a caller needs to retry in time. */
export function rateLimited(policy: RatePolicy, taken: Taken): Refusal {
  const retryAfter = Math.max(1, seconds(taken.retryAfterMs));
  return new Refusal('rate_limited', `over ${policy.limit} in ${policy.windowMs} ms (${policy.name})`, {
    detail: `Try again in ${retryAfter} s.`,
    headers: { 'Retry-After': String(retryAfter), ...rateHeaders(policy, taken) },
  });
}

function render(policy: RatePolicy): Rendered {
  const name = quoted(policy.name);
  const made = { name, policy: `${name};q=${policy.limit};w=${seconds(policy.windowMs)}` };
  rendered.set(policy, made);
  return made;
}

/** A structured-field string holds printable ASCII only (RFC 9651 section 3.3.3). */
function quoted(name: string): string {
  return `"${name.replace(/[^\x20-\x7e]/g, '_').replace(/["\\]/g, '\\$&')}"`;
}

/** Rounded up: a retry after this time is never too early. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}
