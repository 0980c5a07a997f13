import type { IssuerConfig, IssuerName } from '../../../shared/config.ts';
import type { Proof } from '../../../shared/proof.ts';
import { invalidToken } from './refusals.ts';

/** Who a token speaks for. */
export interface Identity {
  readonly issuerName: IssuerName;
  /** The issuer's URL, as in `iss`. */
  readonly issuer: string;
  readonly subject: string;
  /** The OpenFGA user: `user:<sub>`, or `user:<issuer name>|<sub>` where subjects are not shared. */
  readonly user: string;
  /** `<issuer name>|<sub>`: one caller for quotas, logs and revocation. */
  readonly caller: string;
  /** Zitadel's resource owner, when the token names it. */
  readonly organization?: string;
}

/** An identity whose token was verified: only authenticate() makes one. */
export type Principal = Proof<Identity, 'authenticated'>;

export const ORGANIZATION_CLAIM = 'urn:zitadel:iam:user:resourceowner:id';

/** Printable ASCII without whitespace, `#` and `:`, which mean something in an OpenFGA user or could end a header. */
const PRINTABLE = /^[!"$-9;-~]{1,255}$/;

const ISSUER_NAMES = Object.keys({
  zitadel: true,
  kanidm: true,
  session: true,
} satisfies Record<IssuerName, true>);

/** Throws Refusal `invalid_token` for a subject that could pass for somebody or everybody else. */
export function identify(issuer: IssuerConfig, subject: unknown, organization: unknown): Identity {
  const { name, url } = issuer;
  if (typeof subject !== 'string' || !PRINTABLE.test(subject)) throw invalidToken('sub is not usable');
  // `user:*` is everybody in OpenFGA.
  if (subject === '*') throw invalidToken('sub is the wildcard');
  if (issuer.sharedSubjects && namesOtherIssuer(name, subject))
    throw invalidToken("sub imitates another issuer's user");
  return {
    issuerName: name,
    issuer: url,
    subject,
    user: issuer.sharedSubjects ? `user:${subject}` : `user:${name}|${subject}`,
    caller: `${name}|${subject}`,
    ...(typeof organization === 'string' && PRINTABLE.test(organization) && { organization }),
  };
}

/** Also those not trusted today: their users' relations may still be stored. */
function namesOtherIssuer(own: IssuerName, subject: string): boolean {
  return ISSUER_NAMES.some((name) => name !== own && subject.startsWith(`${name}|`));
}
