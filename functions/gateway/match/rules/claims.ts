import { cookieNames, isOwnCookie } from '../../../../shared/sessions/cookies.ts';
import * as z from 'zod';

/** JSON scalars; compared with their type. */
type Scalar = string | number | boolean;

/** A rule's demand on one claim of the token. */
export interface ClaimDemand {
  readonly name: string;
  /** All of them must be in the claim. */
  readonly values: readonly Scalar[];
}

/** RFC 8693 §4.2, RFC 9068 §2.2.3: one string of space-separated scopes. `scp` is Entra's name for it. */
const SCOPES: ReadonlySet<string> = new Set(['scope', 'scp']);
/** RFC 6749 §3.3 scope-token: such a value is also valid in a challenge. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

const valueProblem = 'write a text, a number, true or false, or a list of them';
const value = z.union([z.string().min(1, 'is empty: write a text'), z.number(), z.boolean()], valueProblem);

export const claimsDefinition = z
  .record(
    z.string().min(1),
    z.union([value, z.array(value).min(1, 'is empty: write at least one value')], valueProblem),
    {
      error: ({ code }) =>
        code === 'invalid_key'
          ? 'a claim has a name'
          : 'write claims by name, as in {"scope": "reports:read"}',
    },
  )
  .refine((claims) => Object.keys(claims).length > 0, 'write at least one claim')
  .superRefine((claims, context) => {
    for (const { name, values } of demandsOf(claims)) {
      if (isScope(name) && !values.every(isScopeToken))
        context.addIssue({ code: 'custom', path: [name], message: scopeProblem });
    }
  });

const scopeProblem = 'a scope is a text without spaces, quotes or backslashes: write several as a list';

export function demandsOf(
  claims: Readonly<Record<string, Scalar | readonly Scalar[]>>,
): readonly ClaimDemand[] {
  return Object.entries(claims).map(([name, wanted]) => ({ name, values: [wanted].flat() }));
}

export function isScope(claim: string): boolean {
  return SCOPES.has(claim);
}

function isScopeToken(wanted: Scalar): boolean {
  return typeof wanted === 'string' && SCOPE.test(wanted);
}

/** The first demand that the claims do not meet; undefined when all are met. */
export function unmet(
  demands: readonly ClaimDemand[],
  claims: Readonly<Record<string, unknown>>,
): ClaimDemand | undefined {
  return demands.find(({ name, values }) => {
    const held = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return !values.every((wanted) => holds(name, held, wanted));
  });
}

/** As an element of a list, a space-separated scope, a key of an object whose value is neither null nor false, or alone. */
function holds(name: string, held: unknown, wanted: Scalar): boolean {
  if (Array.isArray(held)) return held.includes(wanted);
  if (typeof held === 'string' && isScope(name)) return held.split(' ').includes(String(wanted));
  if (typeof held !== 'object' || held === null) return held === wanted;
  const member: unknown = Object.entries(held).find(([key]) => key === wanted)?.[1];
  return member !== undefined && member !== null && member !== false;
}

/** Where a rule accepts a token. */
export type TokenPlace =
  | { readonly kind: 'header' }
  | { readonly kind: 'protocol' }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string };

/** RFC 6265 §4.1.1 names of cookies; names of parameters that need no encoding. */
const PLACE = /^(?:header|protocol|cookie:[\w!#$%&'*+.^`|~-]+|query:[\w.~-]+)$/;
const problem = 'write header, protocol, cookie:NAME or query:NAME';

export const tokenDefinition = z
  .array(z.string(problem).regex(PLACE, problem), 'write a list, as in ["header", "cookie:sid"]')
  .min(1, 'name at least one place')
  .refine((places) => new Set(places).size === places.length, 'a place is named twice')
  // Under this name it would count by the weaker check of such a place.
  .refine((places) => !places.some(isSessionCookie), 'the cookie of a session counts without being named');

function isSessionCookie(place: string): boolean {
  const name = place.replace(/^cookie:/, '');
  return [true, false].some((secure) => name !== place && isOwnCookie(name, cookieNames({ secure })));
}

/** Undefined for the header alone: nearly all rules. */
export function placesOf(written: readonly string[] | undefined): readonly TokenPlace[] | undefined {
  if (written === undefined || (written.length === 1 && written[0] === 'header')) return undefined;
  return written.map((place) => {
    const colon = place.indexOf(':');
    const name = place.slice(colon + 1);
    if (place.startsWith('cookie:')) return { kind: 'cookie', name };
    if (place.startsWith('query:')) return { kind: 'query', name };
    return { kind: place === 'protocol' ? 'protocol' : 'header' };
  });
}
