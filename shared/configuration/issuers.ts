import * as z from 'zod';
import type { Issuer, IssuerName } from '../identity/subjects.ts';
import type { ProviderName } from '../ports/directory.ts';
import {
  furtherIssuers,
  introspectionOf,
  namesIn,
  typOf,
  type IntrospectionConfig,
  type IssuerConfig,
  type NamedIssuer,
} from './further-issuers.ts';
import { isOn, publicUrl } from './sessions.ts';
import { broken, halfOf, slice, type Fault, type Written } from './slice.ts';
import { audiences, httpBase, issuerUrl, list, plain } from './values.ts';

export type { IntrospectionConfig, IssuerConfig } from './further-issuers.ts';

export interface IssuersConfig extends SharedSubjects {
  readonly issuers: readonly IssuerConfig[];
  /** The project whose roles tell tenants; null: none. */
  readonly zitadelProject: string | null;
  /** Queried in this order. */
  readonly introspection: readonly IntrospectionConfig[];
}

const SHARED_SUBJECT_ISSUERS = list
  .pipe(z.array(z.enum(['zitadel', 'kanidm', 'session'], 'write names out of zitadel, kanidm, session')))
  .optional();

/** By default, where people sign in here, sessions and the provider that people move to: any other could choose a user's id. */
function sharedIssuers(named: readonly IssuerName[] | undefined, written: Written): readonly IssuerName[] {
  if (named !== undefined) return named;
  if (!isOn(written, 'auth')) return ['zitadel'];
  const provider = migrationProviderIn(written);
  return provider === null ? ['session'] : ['session', provider];
}

/** MIGRATION_PROVIDER, else the only provider that is configured; null where there is none, or two without MIGRATION_PROVIDER. */
export function migrationProviderIn(written: Written): ProviderName | null {
  const { MIGRATION_PROVIDER: named, KANIDM_ISSUER_URL: kanidm, ZITADEL_ISSUER_URL: zitadel } = written;
  if (named === 'kanidm' || named === 'zitadel') return named;
  if ((kanidm === undefined) === (zitadel === undefined)) return null;
  return kanidm === undefined ? 'zitadel' : 'kanidm';
}

export interface SharedSubjects {
  /** Issuers whose `sub` is the bundle's own user id, or is linked to one. */
  readonly sharedSubjectIssuers: readonly IssuerName[];
}

export const SUBJECTS = slice({
  variables: { SHARED_SUBJECT_ISSUERS },
  read: (v, { written }): SharedSubjects => ({
    sharedSubjectIssuers: sharedIssuers(v.SHARED_SUBJECT_ISSUERS, written),
  }),
});

/** Zitadel's URLs, shared by several slices. */
export const ZITADEL_URLS = {
  ZITADEL_ISSUER_URL: issuerUrl.optional(),
  ZITADEL_API_URL: httpBase.optional(),
};

/** Base URL of Zitadel's own API; undefined where it is not configured. */
export function zitadelUrl(v: {
  readonly ZITADEL_ISSUER_URL?: string | undefined;
  readonly ZITADEL_API_URL?: string | undefined;
}): string | undefined {
  return v.ZITADEL_API_URL ?? v.ZITADEL_ISSUER_URL?.replace(/\/+$/, '');
}

export interface ZitadelConfig {
  readonly issuer: Issuer;
  /** Called as a service account; null without ZITADEL_SERVICE_TOKEN. */
  readonly api: { readonly url: string; readonly token: string } | null;
}

/** Zitadel as the source of user events, whether its tokens are accepted or not. */
export const ZITADEL = slice({
  variables: { ...ZITADEL_URLS, ZITADEL_SERVICE_TOKEN: z.string().optional(), SHARED_SUBJECT_ISSUERS },
  examples: {
    ZITADEL_ISSUER_URL: 'https://auth.example.org',
    ZITADEL_SERVICE_TOKEN: 'eyJ… (a personal access token of a service account)',
  },
  read(v, { written }): { readonly zitadel: ZitadelConfig | null } {
    const [url, token] = [zitadelUrl(v), v.ZITADEL_SERVICE_TOKEN];
    if (v.ZITADEL_ISSUER_URL === undefined) return { zitadel: null };
    const issuer = {
      name: 'zitadel',
      url: v.ZITADEL_ISSUER_URL,
      sharedSubjects: sharedIssuers(v.SHARED_SUBJECT_ISSUERS, written).includes('zitadel'),
      others: namesIn(written),
    };
    return { zitadel: { issuer, api: url === undefined || token === undefined ? null : { url, token } } };
  },
});

/** The trusted issuers. */
export const ISSUERS = slice({
  variables: {
    ZITADEL_ISSUER_URL: ZITADEL_URLS.ZITADEL_ISSUER_URL,
    ZITADEL_AUDIENCE: audiences.optional(),
    ZITADEL_CLIENT_ID: z.string().optional(),
    ZITADEL_CLIENT_SECRET: z.string().optional(),
    ZITADEL_ORGANIZATIONS: list
      .refine(plain, 'write ids of organisations, comma-separated and without quotes: there is no wildcard *')
      .default([]),
    ZITADEL_PROJECT_ID: z.string().optional(),
    KANIDM_ISSUER_URL: issuerUrl.optional(),
    KANIDM_AUDIENCE: audiences.optional(),
    SHARED_SUBJECT_ISSUERS,
  },
  examples: {
    ZITADEL_ISSUER_URL: 'https://auth.example.org',
    ZITADEL_AUDIENCE: '287398412356812801',
    ZITADEL_CLIENT_ID: '287398412356812803',
    ZITADEL_CLIENT_SECRET: '4hQ…',
    KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/api',
    KANIDM_AUDIENCE: 'api',
  },
  faults: ({ written }) => [
    ...furtherIssuers(written).faults,
    ...ownFaults(written),
    ...sessionFaults(written),
  ],
  read(v, { written }): IssuersConfig {
    const further = furtherIssuers(written).issuers;
    const sharedSubjectIssuers = sharedIssuers(v.SHARED_SUBJECT_ISSUERS, written);
    const own = ownIssuers(v, further, sharedSubjectIssuers);
    const zitadel = own.find(({ name }) => name === 'zitadel');
    const { ZITADEL_CLIENT_ID: clientId, ZITADEL_CLIENT_SECRET: clientSecret } = v;
    const introspects = zitadel !== undefined && clientId !== undefined && clientSecret !== undefined;
    return {
      sharedSubjectIssuers,
      zitadelProject: v.ZITADEL_PROJECT_ID ?? null,
      issuers: [...own, ...further.map(({ issuer }) => issuer)],
      introspection: [
        ...(introspects
          ? [{ issuer: zitadel, clientId, clientSecret, organizations: v.ZITADEL_ORGANIZATIONS }]
          : []),
        ...further.flatMap(introspectionOf),
      ],
    };
  },
  warnings: ({ issuers, introspection }, { written }) => [
    ...broken([
      issuers.length === 0 && !isOn(written, 'auth'),
      'ZITADEL_ISSUER_URL',
      'is absent, and KANIDM_ISSUER_URL and every ISSUER_<NAME>_URL too: no token is accepted',
    ]),
    ...introspection.filter(namesItselfAlone).map(() => ({
      variable: 'ZITADEL_AUDIENCE',
      problem:
        'names only ZITADEL_CLIENT_ID, which introspection adds to every token: opaque tokens are refused; add the project id or set ZITADEL_ORGANIZATIONS',
    })),
  ],
});

function namesItselfAlone({ issuer, clientId, organizations }: IntrospectionConfig): boolean {
  const alone = issuer.audiences.every((audience) => audience === clientId);
  return issuer.name === 'zitadel' && organizations.length === 0 && alone;
}

/** Tokens are told apart by `iss`. */
function sessionFaults(written: Written): Fault[] {
  const own = publicUrl.safeParse(written['PUBLIC_URL']).data;
  const others = furtherIssuers(written).issuers.map(({ issuer }) => issuer.url);
  const urls = [written['ZITADEL_ISSUER_URL'], written['KANIDM_ISSUER_URL'], ...others];
  return broken([
    isOn(written, 'auth') && own !== undefined && urls.includes(own),
    'PUBLIC_URL',
    'is also the URL of an issuer: its tokens and those of sessions could not be told apart',
  ]);
}

function ownFaults(written: Written): Fault[] {
  const any = (...names: readonly string[]) => names.some((name) => written[name] !== undefined);
  const introspects = any('ZITADEL_CLIENT_ID', 'ZITADEL_CLIENT_SECRET');
  const same = written['KANIDM_ISSUER_URL'] === written['ZITADEL_ISSUER_URL'];
  return [
    ...broken(
      [
        introspects && !any('ZITADEL_ISSUER_URL'),
        'ZITADEL_ISSUER_URL',
        'is missing: ZITADEL_CLIENT_ID needs it',
      ],
      [
        (introspects || any('ZITADEL_ISSUER_URL')) && !any('ZITADEL_AUDIENCE'),
        'ZITADEL_AUDIENCE',
        'is missing: an issuer is trusted only for named audiences; write the project id or client ids its tokens carry in aud',
      ],
      [
        any('KANIDM_ISSUER_URL') && !any('KANIDM_AUDIENCE'),
        'KANIDM_AUDIENCE',
        'is missing: an issuer is trusted only for named audiences; write the OAuth2 client name',
      ],
      [
        any('KANIDM_ISSUER_URL') && same,
        'KANIDM_ISSUER_URL',
        'is also ZITADEL_ISSUER_URL: whose audiences and users its tokens mean is not decided; write each issuer once',
      ],
    ),
    ...halfOf(written, 'ZITADEL_CLIENT_ID', 'ZITADEL_CLIENT_SECRET'),
  ];
}

function ownIssuers(
  v: {
    readonly ZITADEL_ISSUER_URL?: string | undefined;
    readonly ZITADEL_AUDIENCE?: readonly string[] | undefined;
    readonly KANIDM_ISSUER_URL?: string | undefined;
    readonly KANIDM_AUDIENCE?: readonly string[] | undefined;
  },
  further: readonly NamedIssuer[],
  shared: readonly IssuerName[],
): IssuerConfig[] {
  const candidates = [
    { name: 'zitadel', url: v.ZITADEL_ISSUER_URL, audiences: v.ZITADEL_AUDIENCE },
    { name: 'kanidm', url: v.KANIDM_ISSUER_URL, audiences: v.KANIDM_AUDIENCE },
  ] as const;
  const others = further.map(({ issuer }) => issuer.name);
  return candidates.flatMap(({ name, url, audiences = [] }): IssuerConfig[] => {
    const [first, ...rest] = audiences;
    if (url === undefined || first === undefined) return [];
    const sharedSubjects = shared.includes(name);
    const typ = name === 'kanidm' ? 'at+jwt' : typOf(url);
    return [{ name, url, audiences: [first, ...rest], sharedSubjects, others, typ }];
  });
}
