/** `zitadel`, `kanidm`, `session`, or the NAME of ISSUER_<NAME>_URL in lower case. */
export type IssuerName = string;

/** Whose subjects these are. */
export interface Issuer {
  readonly name: IssuerName;
  /** Exactly the `iss` of its tokens. */
  readonly url: string;
  /** True: `sub` is the bundle's own user id; false: the user is `<name>|<sub>`. */
  readonly sharedSubjects: boolean;
  /** Further issuers by name: a shared subject must not pass for one of their users. */
  readonly others?: readonly IssuerName[];
}

/** Printable ASCII without whitespace, `#` and `:`, which are syntax in an OpenFGA user or could end a header. */
const PRINTABLE = /^[!"$-9;-~]{1,255}$/;

/** Issuers whose subjects can be shared, trusted or not. */
export const ISSUER_NAMES: readonly IssuerName[] = ['zitadel', 'kanidm', 'session'];

/** Whether a text can be part of an OpenFGA identifier verbatim. */
export function isPrintable(text: string): boolean {
  return PRINTABLE.test(text);
}

/** Why a subject could pass for another user or for all users; undefined when it cannot. */
export function faultOfSubject(
  issuer: Pick<Issuer, 'name' | 'sharedSubjects' | 'others'>,
  subject: unknown,
): string | undefined {
  if (typeof subject !== 'string' || !isPrintable(subject)) return 'is not usable';
  // `user:*` means all users in OpenFGA.
  if (subject === '*') return 'is the wildcard';
  if (issuer.sharedSubjects && namesOtherIssuer(issuer, subject)) return "imitates another issuer's user";
  return undefined;
}

/** The OpenFGA user: `user:<subject>`, or `user:<issuer name>|<subject>` where subjects are not shared. */
export function userOf(
  { name, sharedSubjects }: Pick<Issuer, 'name' | 'sharedSubjects'>,
  subject: string,
): string {
  return sharedSubjects ? `user:${subject}` : `user:${name}|${subject}`;
}

/** The inverse of `userOf`; undefined for a user of another issuer, or no single user. */
export function subjectOf(
  issuer: Pick<Issuer, 'name' | 'sharedSubjects' | 'others'>,
  user: string,
): string | undefined {
  const prefix = userOf(issuer, '');
  const subject = user.startsWith(prefix) ? user.slice(prefix.length) : undefined;
  return faultOfSubject(issuer, subject) === undefined ? subject : undefined;
}

/** `<issuer name>|<subject>`: one caller for quotas, logs and revocation. */
export function callerOf({ name }: Pick<Issuer, 'name'>, subject: string): string {
  return `${name}|${subject}`;
}

const SESSION = '|sid:';

/** `<caller>|sid:<id>`: a session in marks. Begins with its caller, so that a clustered store keeps both on one node. */
export function sessionOf(caller: string, id: string): string {
  return `${caller}${SESSION}${id}`;
}

/** The caller of a session named by `sessionOf`; any other text is itself. No subject holds a colon. */
export function ownerOf(caller: string): string {
  const at = caller.indexOf(SESSION);
  return at < 0 ? caller : caller.slice(0, at);
}

/** An organisation's subject in the mirror and in marks: no user's id holds a colon. */
export function organizationSubject(id: string): string {
  return `org:${id}`;
}

/** Includes issuers not trusted today: their users' relations may still be stored. */
function namesOtherIssuer(
  { name: own, others = [] }: Pick<Issuer, 'name' | 'others'>,
  subject: string,
): boolean {
  return [...ISSUER_NAMES, ...others].some((name) => name !== own && subject.startsWith(`${name}|`));
}
