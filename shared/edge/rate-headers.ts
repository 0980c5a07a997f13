import { Refusal } from '../errors.ts';
import type { RatePolicy, Taken } from '../ports/counters.ts';

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
