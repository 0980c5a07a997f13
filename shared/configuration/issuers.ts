import type { IntrospectionConfig, IssuerConfig } from './config.ts';
import { audiences, issuerUrl, type Fault, type Written } from './variables.ts';

export const FIELDS = ['URL', 'AUDIENCE', 'CLIENT_ID', 'CLIENT_SECRET'] as const;
type Field = (typeof FIELDS)[number];

/** `address|…` are callers nobody has signed in; the others have variables of their own. */
const TAKEN = new Set(['zitadel', 'kanidm', 'session', 'address']);
const NAME = /^[A-Z0-9][A-Z0-9_]{0,31}$/;

/** An issuer under a name of the operator's own. */
export interface NamedIssuer {
  readonly issuer: IssuerConfig;
  readonly client: { readonly id: string; readonly secret: string } | undefined;
}

/** The NAME and the field of ISSUER_<NAME>_URL and its siblings; undefined for any other variable. */
export function issuerVariable(
  variable: string,
): { readonly name: string; readonly field: Field } | undefined {
  for (const field of FIELDS) {
    const name = /^ISSUER_(.+)$/.exec(variable)?.[1];
    if (name?.endsWith(`_${field}`) === true) return { name: name.slice(0, -field.length - 1), field };
  }
  return undefined;
}

/** All of them, by name; `others`: URLs of the issuers that have variables of their own. */
export function readIssuers(
  written: Written,
  others: readonly (string | undefined)[],
): { readonly issuers: readonly NamedIssuer[]; readonly faults: readonly Fault[] } {
  const byName = new Map<string, Partial<Record<Field, string>>>();
  for (const [variable, value] of Object.entries(written)) {
    const parsed = issuerVariable(variable);
    if (parsed !== undefined && value !== undefined)
      byName.set(parsed.name, { ...byName.get(parsed.name), [parsed.field]: value });
  }
  const faults: Fault[] = [];
  const seen = new Set(others);
  const issuers = [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, fields]) => {
      const report = (field: Field, problem: string): void => {
        faults.push({ variable: `ISSUER_${name}_${field}`, problem });
      };
      checkName(name, fields, report);
      return readIssuer(name, fields, seen, report) ?? [];
    });
  return { issuers, faults };
}

type Report = (field: Field, problem: string) => void;

function checkName(name: string, fields: Partial<Record<Field, string>>, report: Report): void {
  const field = FIELDS.find((one) => fields[one] !== undefined) ?? 'URL';
  if (!NAME.test(name)) report(field, 'has a name that cannot be used: at most 32 capitals, digits and _');
  else if (TAKEN.has(name.toLowerCase()))
    report(field, `has a name that is taken: use ${name}_… variables, or another name`);
}

function readIssuer(
  name: string,
  { URL: url, AUDIENCE: audience, CLIENT_ID: id, CLIENT_SECRET: secret }: Partial<Record<Field, string>>,
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
 * Kanidm's access tokens are `at+jwt`, and its ID tokens differ in nothing else; every client of it is an issuer of its own
 * under this path. Elsewhere access tokens of plain `JWT` are the rule.
 */
export function typOf(url: string): IssuerConfig['typ'] {
  return url.includes('/oauth2/openid/') ? 'at+jwt' : 'any';
}

export function introspectionOf({ issuer, client }: NamedIssuer): IntrospectionConfig[] {
  if (client === undefined) return [];
  return [{ issuer, clientId: client.id, clientSecret: client.secret, organizations: [] }];
}
