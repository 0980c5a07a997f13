// Long because it lists what others have published.
/** Of which product, as `versions` reads it. */
export type Product = 'zitadel' | 'openfga' | 'redis' | 'postgres';

export interface Advisory {
  readonly product: Product;
  readonly id: string;
  readonly what: string;
  /** Each range from the first affected version up to, and without, the first that is mended. */
  readonly affected: readonly (readonly [from: string, fixed: string])[];
  /** `high`: red, where a version number proves it. */
  readonly severity: 'high' | 'moderate';
}

/** The day on which the list was last compared with what the projects published. */
export const ADVISORIES_DATE = '2026-11-28';

/** Published advisories of what stands around the gateway, as far as a version number tells who is affected. */
export const ADVISORIES: readonly Advisory[] = [
  {
    product: 'zitadel',
    id: 'CVE-2026-135175',
    what: 'a field of a request redirects links of mails, which then reset passwords',
    affected: [['4.19.5', '4.20.3']],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-119128',
    what: 'Login v2 lets anyone set the first credential of a user without one',
    affected: [['4.0.0', '4.19.5']],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-109372',
    what: 'who administers an organisation can sign in as users of another SAML provider',
    affected: [
      ['3.0.0', '3.4.16'],
      ['4.0.0', '4.19.2'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-105207',
    what: 'whoever knows a login name can link an account of another provider to it',
    affected: [
      ['3.0.0', '3.4.16'],
      ['4.0.0', '4.17.3'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-105209',
    what: 'passkeys can be enrolled for users of another organisation',
    affected: [
      ['3.0.0', '3.4.15'],
      ['4.0.0', '4.17.1'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-105211',
    what: 'Login v2 hands out codes of the second factor',
    affected: [['4.0.0', '4.17.1']],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-105215',
    what: 'accounts of another provider can be taken beforehand by a forged answer',
    affected: [
      ['3.0.0', '3.4.14'],
      ['4.0.0', '4.16.2'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-55671 (GHSA-29jh-8cfq-rr8x)',
    what: 'outgoing HTTP can be led to internal addresses',
    affected: [['4.0.0', '4.15.2']],
    severity: 'moderate',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-55669 (GHSA-g5h5-m4hm-xjrr)',
    what: 'the audience of tokens of JWT identity providers is not checked',
    affected: [
      ['3.0.0', '3.4.12'],
      ['4.0.0', '4.15.2'],
    ],
    severity: 'moderate',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-55670',
    what: 'a user made again under the id of a removed one lands in the organisation of that one',
    affected: [
      ['3.0.0', '3.4.12'],
      ['4.0.0', '4.15.2'],
    ],
    severity: 'moderate',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-27946',
    what: 'people can mark their own e-mail address and phone as verified',
    affected: [
      ['2.43.0', '3.4.7'],
      ['4.0.0', '4.11.1'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-27945',
    what: 'targets of actions can be local addresses',
    affected: [['4.0.0', '4.11.1']],
    severity: 'moderate',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-29191 (GHSA-pr34-2v5x-6qjq)',
    what: 'a link to Login v2 runs a script of another site in it',
    affected: [['4.0.0', '4.12.0']],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2026-29067 (GHSA-pfrf-9r5f-73f5)',
    what: 'Login v2 mails links that lead to another host',
    affected: [['4.0.0', '4.7.1']],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2025-64717 (GHSA-j4g7-v4m4-77px)',
    what: 'accounts can be taken over through a deactivated identity provider',
    affected: [
      ['2.50.0', '2.71.19'],
      ['3.0.0', '3.4.4'],
      ['4.0.0', '4.6.6'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2025-64103 (GHSA-cfjq-28r2-4jv5)',
    what: 'a session counts as signed in after one factor of two',
    affected: [
      ['2.55.0', '2.71.18'],
      ['3.0.0', '3.4.3'],
      ['4.0.0', '4.6.0'],
    ],
    severity: 'high',
  },
  {
    product: 'zitadel',
    id: 'CVE-2025-46815',
    what: 'tokens of sign-ins by an identity provider can be used again',
    affected: [
      ['2.0.0', '2.70.10'],
      ['2.71.0', '2.71.9'],
    ],
    severity: 'high',
  },
  {
    product: 'openfga',
    id: 'CVE-2026-55170 (GHSA-cf98-j28v-49v6)',
    what: 'on MySQL, users whose names differ in case alone get one answer',
    affected: [['0.0.0', '1.18.0']],
    severity: 'moderate',
  },
  {
    product: 'openfga',
    id: 'CVE-2026-41131 (GHSA-57j5-qwp2-vqp6)',
    what: 'with caching, checks with conditions can get the answer of another',
    affected: [['0.0.0', '1.14.1']],
    severity: 'moderate',
  },
  {
    product: 'openfga',
    id: 'CVE-2026-34972 (GHSA-jwvj-g8pc-cx45)',
    what: 'batch checks of one tuple with several contexts get one answer',
    affected: [['1.8.0', '1.14.0']],
    severity: 'moderate',
  },
  {
    product: 'openfga',
    id: 'CVE-2026-24851 (GHSA-jq9f-gm9w-rwm9)',
    what: 'checks of relations with public access can be answered wrongly',
    affected: [['1.8.5', '1.11.3']],
    severity: 'moderate',
  },
  {
    product: 'openfga',
    id: 'CVE-2025-55213 (GHSA-mgh9-4mwp-fg55)',
    what: 'checks can be answered wrongly',
    affected: [['1.9.3', '1.9.5']],
    severity: 'moderate',
  },
  {
    product: 'openfga',
    id: 'CVE-2025-48371',
    what: 'authorization can be bypassed',
    affected: [['1.8.0', '1.8.13']],
    severity: 'moderate',
  },
  {
    product: 'redis',
    id: 'CVE-2026-81934',
    what: 'with TLS, a connection can run code in the server',
    affected: [
      ['6.2.0', '6.2.24'],
      ['7.0.0', '7.2.16'],
      ['7.4.0', '7.4.11'],
      ['8.0.0', '8.2.9'],
      ['8.4.0', '8.4.6'],
      ['8.6.0', '8.6.6'],
      ['8.8.0', '8.8.2'],
      ['8.10.0', '8.10.1'],
    ],
    severity: 'high',
  },
  {
    product: 'redis',
    id: 'CVE-2025-49844 (GHSA-4789-qfc9-5f9q)',
    what: 'a Lua script can run code in the server',
    affected: [
      ['2.6.0', '6.2.20'],
      ['7.0.0', '7.2.11'],
      ['7.4.0', '7.4.6'],
      ['8.0.0', '8.0.4'],
      ['8.2.0', '8.2.2'],
    ],
    severity: 'high',
  },
  {
    product: 'postgres',
    id: 'CVE-2026-116314',
    what: 'pg_restore of a crafted archive runs code',
    affected: [
      ['14.0', '14.25'],
      ['15.0', '15.20'],
      ['16.0', '16.16'],
      ['17.0', '17.12'],
      ['18.0', '18.7'],
    ],
    severity: 'moderate',
  },
  {
    product: 'postgres',
    id: 'CVE-2026-2005, CVE-2026-2006',
    what: 'buffer overflows in pgcrypto and in the handling of texts run code',
    affected: [
      ['14.0', '14.21'],
      ['15.0', '15.16'],
      ['16.0', '16.12'],
      ['17.0', '17.8'],
      ['18.0', '18.2'],
    ],
    severity: 'high',
  },
  {
    product: 'postgres',
    id: 'CVE-2025-8714, CVE-2025-8715',
    what: 'a dump can run code where it is restored',
    affected: [
      ['13.0', '13.22'],
      ['14.0', '14.19'],
      ['15.0', '15.14'],
      ['16.0', '16.10'],
      ['17.0', '17.6'],
    ],
    severity: 'high',
  },
];

/** Those that affect a version as `4.13.1`, `v4.13.1` or `15.9 (Debian 15.9-0)`, the grave ones first; undefined for a text that is no version. */
export function advisoriesFor(product: Product, text: string): readonly Advisory[] | undefined {
  const version = parts(text);
  if (version === undefined) return undefined;
  const found = ADVISORIES.filter((each) => each.product === product && rangeOf(each, version) !== undefined);
  const grave = found.filter(({ severity }) => severity === 'high');
  return [...grave, ...found.filter(({ severity }) => severity !== 'high')];
}

/** The first version of the same line that none of them affects. */
export function mendedIn(product: Product, text: string): string {
  let version = text;
  for (;;) {
    const now = parts(version) ?? [];
    const fixed = ADVISORIES.flatMap((each) =>
      each.product === product ? (rangeOf(each, now)?.[1] ?? []) : [],
    );
    if (fixed.length === 0) return version;
    version = fixed.reduce((most, each) => (compare(parts(most) ?? [], each) < 0 ? each : most));
  }
}

function rangeOf({ affected }: Advisory, version: readonly number[]) {
  return affected.find(([from, fixed]) => compare(version, from) >= 0 && compare(version, fixed) < 0);
}

function parts(text: string): readonly number[] | undefined {
  const found = /^v?(\d+(?:\.\d+)+)/.exec(text.trim())?.[1];
  return found?.split('.').map(Number);
}

function compare(version: readonly number[], to: string): number {
  const other = parts(to) ?? [];
  for (let at = 0; at < Math.max(version.length, other.length); at++) {
    const difference = (version[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
