import type { Issuer, IssuerName } from '../identity/subjects.ts';
import { ISSUER_FIELDS, issuerVariable, type Fault, type IssuerField, type Written } from './names.ts';
import { audiences, issuerUrl } from './values.ts';

/** An issuer whose tokens are accepted. */
export interface IssuerConfig extends Issuer {
  /** At least one; a token must carry one of them in `aud`. */
  readonly audiences: readonly [string, ...string[]];
  /** Header `typ` of its access tokens (RFC 9068 §2.1); `any`: absent, or that of a JWT. */
  readonly typ: 'at+jwt' | 'any';
  /** Of `exp` and `nbf`; absent: that of other clocks. */
  readonly leewaySeconds?: number;
}

/** RFC 7662, for opaque access tokens and Zitadel's personal access tokens. */
export interface IntrospectionConfig {
  readonly issuer: IssuerConfig;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Resource owners (organisation ids) whose tokens are accepted even without an accepted audience. */
  readonly organizations: readonly string[];
}

/** `address|…` and `account|…` are callers without a token; the others have variables of their own. */
const TAKEN = new Set(['zitadel', 'kanidm', 'session', 'address', 'account']);
const NAME = /^[A-Z0-9][A-Z0-9_]{0,31}$/;

/** An issuer under a name of the operator's choice. */
export interface NamedIssuer {
  readonly issuer: IssuerConfig;
  readonly client: { readonly id: string; readonly secret: string } | undefined;
}

type Fields = Partial<Record<IssuerField, string>>;

function fieldsByName(written: Written): ReadonlyMap<string, Fields> {
  const byName = new Map<string, Fields>();
  for (const [variable, value] of Object.entries(written)) {
    const parsed = issuerVariable(variable);
    if (parsed !== undefined && value !== undefined)
      byName.set(parsed.name, { ...byName.get(parsed.name), [parsed.field]: value });
  }
  return new Map([...byName].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names of further issuers, also of those with faulty variables. */
export function namesIn(written: Written): readonly IssuerName[] {
  return [...fieldsByName(written).keys()].map((name) => name.toLowerCase());
}

/** All further issuers, by name. */
export function furtherIssuers(written: Written): {
  readonly issuers: readonly NamedIssuer[];
  readonly faults: readonly Fault[];
} {
  const faults: Fault[] = [];
  const seen = new Set([written['ZITADEL_ISSUER_URL'], written['KANIDM_ISSUER_URL']]);
  const issuers = [...fieldsByName(written)].flatMap(([name, fields]) => {
    const report = (field: IssuerField, problem: string): void => {
      faults.push({ variable: `ISSUER_${name}_${field}`, problem });
    };
    checkName(name, fields, report);
    return readIssuer(name, fields, seen, report) ?? [];
  });
  return { issuers, faults };
}

type Report = (field: IssuerField, problem: string) => void;

function checkName(name: string, fields: Fields, report: Report): void {
  const field = ISSUER_FIELDS.find((one) => fields[one] !== undefined) ?? 'URL';
  if (!NAME.test(name)) report(field, 'has a name that cannot be used: at most 32 capitals, digits and _');
  else if (TAKEN.has(name.toLowerCase()))
    report(field, `has a name that is taken: use ${name}_… variables, or another name`);
}

function readIssuer(
  name: string,
  { URL: url, AUDIENCE: audience, CLIENT_ID: id, CLIENT_SECRET: secret }: Fields,
  seen: Set<string | undefined>,
  report: Report,
): NamedIssuer | undefined {
  if (url === undefined) report('URL', 'is missing: an issuer is known by it');
  if (audience === undefined)
    report(
      'AUDIENCE',
      'is missing: an issuer is trusted only for named audiences; write what its tokens carry in aud',
    );
  if ((id === undefined) !== (secret === undefined))
    report(id === undefined ? 'CLIENT_ID' : 'CLIENT_SECRET', 'is missing: client id and secret go together');
  if (url === undefined || audience === undefined) return undefined;
  const parsed = { url: issuerUrl.safeParse(url), audience: audiences.safeParse(audience) };
  for (const issue of parsed.url.error?.issues ?? []) report('URL', issue.message);
  for (const issue of parsed.audience.error?.issues ?? []) report('AUDIENCE', issue.message);
  if (seen.has(url)) report('URL', 'is also the URL of another issuer: write each issuer once');
  seen.add(url);
  const [first, ...rest] = parsed.audience.data ?? [];
  if (first === undefined) return undefined;
  return {
    issuer: {
      name: name.toLowerCase(),
      url,
      audiences: [first, ...rest],
      sharedSubjects: false,
      typ: typOf(url),
    },
    client: id === undefined || secret === undefined ? undefined : { id, secret },
  };
}

/**
 * Kanidm's access tokens are `at+jwt`, which is all that distinguishes them from its ID tokens; each of its clients is an
 * issuer of its own under this path. Elsewhere plain `JWT` is usual.
 */
export function typOf(url: string): IssuerConfig['typ'] {
  return url.includes('/oauth2/openid/') ? 'at+jwt' : 'any';
}

export function introspectionOf({ issuer, client }: NamedIssuer): IntrospectionConfig[] {
  if (client === undefined) return [];
  return [{ issuer, clientId: client.id, clientSecret: client.secret, organizations: [] }];
}
