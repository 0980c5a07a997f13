import type { Values } from './settings.ts';

/** The first person of the first instance; null where a value comes from elsewhere. */
export interface Outcome {
  readonly username: string | null;
  readonly email: string | null;
  readonly email_verified: boolean | null;
  readonly org_domain: string | null;
  readonly login_names: readonly string[];
}

export const USERNAME = 'FIRSTINSTANCE_ORG_HUMAN_USERNAME';
export const ADDRESS = 'FIRSTINSTANCE_ORG_HUMAN_EMAIL_ADDRESS';
export const VERIFIED = 'FIRSTINSTANCE_ORG_HUMAN_EMAIL_VERIFIED';
export const ORG_NAME = 'FIRSTINSTANCE_ORG_NAME';
export const MUST_BE_DOMAIN = 'DEFAULTINSTANCE_DOMAINPOLICY_USERLOGINMUSTBEDOMAIN';
export const SKIP = 'FIRSTINSTANCE_SKIP';

export const NOBODY: Outcome = {
  username: null,
  email: null,
  email_verified: null,
  org_domain: null,
  login_names: [],
};

/** What Zitadel's set-up makes of the settings. */
export function outcomeOf(values: Values): Outcome {
  if (values.flag(SKIP) === true) return NOBODY;
  const name = values.text(ORG_NAME);
  const host = values.text('EXTERNALDOMAIN');
  const domain = name === null || host === null ? null : orgDomain(name, host);
  const given = values.text(USERNAME);
  const mustBeDomain = values.flag(MUST_BE_DOMAIN);
  const qualified = given === null ? null : withDomain(given, domain);
  const username = mustBeDomain === null ? null : mustBeDomain ? given : qualified;
  const address = values.text(ADDRESS);
  return {
    username,
    email: address === null ? null : address.trim() || qualified,
    email_verified: values.flag(VERIFIED),
    org_domain: domain,
    login_names: loginNames(username, mustBeDomain === true, domain),
  };
}

/** With the domain as a suffix on every name, the bare one is none. */
function loginNames(username: string | null, mustBeDomain: boolean, domain: string | null): string[] {
  if (username === null) return [];
  if (!mustBeDomain) return [username];
  return domain === null ? [] : [`${username}@${domain}`];
}

function withDomain(name: string, domain: string | null): string | null {
  if (name.includes('@')) return name;
  return domain === null ? null : `${name}@${domain}`;
}

const LONGEST_LABEL = 63;
const LONGEST_DOMAIN = 253;

/** Null where no letter or digit is left, which Zitadel refuses. Lengths are bytes. */
export function orgDomain(orgName: string, externalDomain: string): string | null {
  const clean = orgName.replaceAll(' ', '-').replaceAll(/[^\p{L}\p{M}0-9-]/gu, '');
  const room = LONGEST_DOMAIN - 1 - Buffer.byteLength(externalDomain);
  const cut = Buffer.from(clean)
    .subarray(0, Math.max(0, Math.min(LONGEST_LABEL, room)))
    .toString();
  const label = cut.replace(/^-/, '').replace(/-$/, '');
  return label === '' ? null : `${label}.${externalDomain}`.toLowerCase();
}
