import type { RatePolicy } from '../../../shared/ports/counters.ts';
import type { ClaimDemand } from './rules/claims.ts';
import type { TokenPlace } from './rules/claims.ts';

/** One segment of a rule's path; a literal is decoded. */
export type PathSegment =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'rest'; readonly name: string };

export type TemplatePart =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'param'; readonly name: string };

/** An OpenFGA object `type:id`, or the parts from which a match builds it. */
export type ObjectTemplate = string | readonly TemplatePart[];

export interface RelationAccess {
  readonly kind: 'relation';
  readonly relation: string;
  readonly object: ObjectTemplate;
}

export type Access = { readonly kind: 'public' } | { readonly kind: 'authenticated' } | RelationAccess;

export type TenantDemand = { readonly kind: 'any' } | { readonly kind: 'param'; readonly name: string };

/** One entry of the rules file, checked and compiled. */
export interface Rule {
  /** Place in the file, from 0. */
  readonly index: number;
  /** As written. */
  readonly path: string;
  readonly segments: readonly PathSegment[];
  readonly methods: '*' | readonly string[];
  readonly access: Access;
  /** Absent: no demands on the token's claims. */
  readonly claims: readonly ClaimDemand[] | undefined;
  /** Which tenant the caller has to be in: any, or the one that a path parameter names. Absent: none. */
  readonly tenant: TenantDemand | undefined;
  /** Where the token is looked for; absent: in Authorization alone. */
  readonly token: readonly TokenPlace[] | undefined;
  /** Name of a configured target. */
  readonly target: string;
  /** Absent: the gateway's default policy. */
  readonly rateLimit: RatePolicy | undefined;
  /** Absent: the gateway's default timeout. */
  readonly timeoutMs: number | undefined;
  /** Canonically encoded, without a trailing slash. */
  readonly stripPrefix: string | undefined;
  readonly mode: 'enforce' | 'shadow';
  /** Whether the target sees Authorization, or the cookie that holds the token. */
  readonly forwardAuthorization: boolean;
  /** The target sees the caller's Host instead of its own. */
  readonly preserveHost: boolean;
}

/** Whether any valid token passes: no relation, no claim, no tenant. */
export function isForAnyToken({
  access,
  claims,
  tenant,
}: Pick<Rule, 'access' | 'claims' | 'tenant'>): boolean {
  return access.kind === 'authenticated' && claims === undefined && tenant === undefined;
}

/** Values of the path's parameters, decoded. Has no prototype: `__proto__` is a name like any other. */
export type Params = Readonly<Record<string, string>>;

export interface Match {
  readonly rule: Rule;
  readonly params: Params;
}

export interface CompiledRules {
  /** In the order of the file. */
  readonly rules: readonly Rule[];
  /** Claims that any rule demands: those cached of a token. */
  readonly claimNames: ReadonlySet<string>;
  /** `segments`: the decoded segments of a judged path (`/a/` is `['a', '']`). Undefined: no rule, so refuse. */
  match(method: string, segments: readonly string[]): Match | undefined;
}

/** A diagnostic of a rules file, with its position in the text. */
export interface Finding {
  /** A note names what no rule can change; it never fails a check. */
  readonly severity: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly message: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** RFC 6901, as in `/3/path`. */
  readonly pointer: string;
}
