import type { IssuerConfig } from '../../../shared/configuration/issuers.ts';
import type { Proof } from '../../../shared/proof.ts';
import {
  callerOf,
  faultOfSubject,
  isPrintable,
  organizationSubject,
  userOf,
  type IssuerName,
} from '../../../shared/identity/subjects.ts';
import type { Bounded, Kept } from '../../../shared/caches/bounded.ts';
import type { Tenancies, Tenancy } from './tenancies.ts';
import { invalidToken } from './token.ts';
import type { Refusal } from '../../../shared/errors.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';

/** The subject of a token. */
export interface Identity {
  readonly issuerName: IssuerName;
  /** The issuer's URL, as in `iss`. */
  readonly issuer: string;
  /** The bundle's user id that the token's `sub` is linked to, else `sub` itself. */
  readonly subject: string;
  /** The OpenFGA user: `user:<subject>`, or `user:<issuer name>|<subject>` where subjects are not shared. */
  readonly user: string;
  /** The OpenFGA user by the token's `sub`, where that is linked to another one: events name users so. */
  readonly formerUser?: string;
  /** `<issuer name>|<sub>`: one caller for quotas, logs and revocation. */
  readonly caller: string;
  /** `<caller>|sid:<id>`, as in marks; absent where the token names no session of ours. */
  readonly session?: string;
  /** `<issuer name>|org:<id>`, Zitadel's resource owner as in marks; absent when the token does not name it. */
  readonly organization?: string;
  /** Milliseconds since the epoch: when the token was issued, or introspected as active. Absent without `iat`. */
  readonly issuedAt?: number;
}

export type Claims = Readonly<Record<string, unknown>>;

/** `claims`: those that rules demand. */
export interface Verified extends Identity {
  readonly claims: Claims;
  readonly tenancies: Tenancies;
}

/** An identity whose token was verified: only authenticate() makes one. */
export type Principal = Proof<Verified & { readonly person: Person }, 'authenticated'>;

/** Bounds the entries of one kind over all users. */
type Room<Item extends Kept> = Pick<Bounded<Item>, 'remove'>;

/** A cached assertion. */
export interface Assertion extends Kept {
  readonly room: Room<Assertion>;
  readonly caller: string;
  readonly target: string;
  tenancy: Tenancy | undefined;
  jwt: string;
  /** Milliseconds since the epoch. */
  untilMs: number;
}

/** OpenFGA's answer to one check of a user, and the assertions made of it. */
export interface Checked extends Kept {
  readonly room: Room<Checked>;
  readonly person: Person;
  readonly relation: string;
  readonly object: string;
  allowed: boolean;
  /** Milliseconds since the epoch. */
  untilMs: number;
  readonly assertions: Assertion[];
  /** The check of another relation to the same object. */
  next: Checked | undefined;
}

/** The cache entries of an OpenFGA user, shared by its tokens. Void once it is forgotten, or its last token. */
export class Person {
  forgotten = false;
  /** Number of its cached tokens. */
  tokens = 0;
  /** Other OpenFGA users that events about it may name. */
  formerUsers: Set<string> | undefined;
  /** Assertions without a grant: identity only. */
  readonly assertions: Assertion[] = [];
  private readonly byObject = new Map<string, Checked>();

  /** Whether a cached token leads here: without one, an entry would take a place and never be found. */
  get isFound(): boolean {
    return this.tokens > 0 && !this.forgotten;
  }

  checked(relation: string, object: string): Checked | undefined {
    let found = this.byObject.get(object);
    while (found !== undefined && found.relation !== relation) found = found.next;
    return found;
  }

  has(checked: Checked): boolean {
    return this.checked(checked.relation, checked.object) === checked;
  }

  keep(checked: Checked): void {
    checked.next = this.byObject.get(checked.object);
    this.byObject.set(checked.object, checked);
  }

  /** Frees the places of all its entries. */
  free(): void {
    freeAll(this.assertions);
    for (const first of this.byObject.values()) {
      for (let each: Checked | undefined = first; each !== undefined; each = each.next) {
        each.room.remove(each);
        freeAll(each.assertions);
      }
    }
    this.byObject.clear();
  }

  /** Of an entry without a place. */
  drop({ relation, object, next, assertions }: Checked): void {
    freeAll(assertions);
    let before = this.byObject.get(object);
    if (before?.relation === relation) {
      if (next === undefined) this.byObject.delete(object);
      else this.byObject.set(object, next);
      return;
    }
    while (before !== undefined && before.next?.relation !== relation) before = before.next;
    if (before !== undefined) before.next = next;
  }
}

function freeAll(assertions: Assertion[]): void {
  for (const each of assertions.splice(0)) each.room.remove(each);
}

export const ORGANIZATION_CLAIM = 'urn:zitadel:iam:user:resourceowner:id';

/** Throws Refusal `invalid_token` for a subject that could pass for another user or for all users. */
export function identify(issuer: IssuerConfig, subject: unknown, organization: unknown): Identity {
  const { name, url } = issuer;
  const fault = faultOfSubject(issuer, subject);
  if (fault !== undefined || typeof subject !== 'string') throw invalidToken(`sub ${fault ?? 'is no text'}`);
  return {
    issuerName: name,
    issuer: url,
    subject,
    user: userOf(issuer, subject),
    caller: callerOf(issuer, subject),
    ...(typeof organization === 'string' &&
      isPrintable(organization) && { organization: callerOf(issuer, organizationSubject(organization)) }),
  };
}

/** The key a token was verified with: once it is gone from its source, the verdict is void. */
export interface Evidence {
  readonly source: KeySource;
  readonly keyId: string;
}

export interface Accepted<Who = Identity> {
  readonly identity: Who;
  /** Milliseconds since the epoch; void from then on. */
  readonly untilMs: number;
  /** Absent when the provider vouched for the token itself. */
  readonly evidence?: Evidence;
}

/** A refusal that may be cached. */
export interface Rejected {
  readonly refusal: Refusal;
  readonly untilMs: number;
}

export type Outcome<Who = Identity> = Accepted<Who> | Rejected;

/** A provider's verdict on a token: by its signature, or by introspection. */
export type Verdict = (Accepted & { readonly claims: Claims }) | Rejected;

/** `address`: of the presenter. Throws Refusal for a token that is not accepted, `ProviderUnavailable` when undetermined. */
export type Verify = (token: string, address: string) => Promise<Verdict>;
