import * as z from 'zod';
import type { ProviderName } from '../ports/directory.ts';
import { migrationProviderIn, ZITADEL_URLS, zitadelUrl } from './issuers.ts';
import { broken, slice, type Fault, type Written } from './slice.ts';
import { httpBase, issuerUrl } from './values.ts';

export interface KanidmDirectoryConfig {
  readonly provider: 'kanidm';
  readonly issuer: string;
  /** Base of Kanidm's own API. */
  readonly url: string;
  /** Of a service account. */
  readonly token: string;
  /** Of a SCIM sync account; null: mode `local`. */
  readonly syncToken: string | null;
}

export interface ZitadelDirectoryConfig {
  readonly provider: 'zitadel';
  readonly issuer: string;
  readonly url: string;
  readonly token: string;
  readonly tenancy: 'organisations' | 'roles';
  /** Whose project it is; null only where there is none. */
  readonly organization: string | null;
  /** Null: no roles, so that the organisation alone determines the tenant. */
  readonly projectId: string | null;
}

export type DirectoryConfig = KanidmDirectoryConfig | ZitadelDirectoryConfig;

const VARIABLES = {
  MIGRATION_PROVIDER: z.enum(['kanidm', 'zitadel'], 'write kanidm or zitadel').optional(),
  ...ZITADEL_URLS,
  ZITADEL_PROVISIONING_TOKEN: z.string().optional(),
  ZITADEL_TENANCY: z
    .enum(['organisations', 'roles'], 'write organisations or roles')
    .default('organisations'),
  ZITADEL_ORGANIZATION: z.string().optional(),
  ZITADEL_PROJECT_ID: z.string().optional(),
  KANIDM_ISSUER_URL: issuerUrl.optional(),
  KANIDM_URL: httpBase.optional(),
  KANIDM_TOKEN: z.string().optional(),
  KANIDM_SYNC_TOKEN: z.string().optional(),
};
type Variables = z.output<z.ZodObject<typeof VARIABLES>>;

const EXAMPLES = {
  MIGRATION_PROVIDER: 'kanidm',
  KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/api',
  KANIDM_TOKEN: 'eyJ… (an API token of a service account, with read-write)',
  ZITADEL_ISSUER_URL: 'https://auth.example.org',
  ZITADEL_PROVISIONING_TOKEN: 'eyJ… (a personal access token of a service account)',
  ZITADEL_ORGANIZATION: '287398412356812800',
  ZITADEL_PROJECT_ID: '287398412356812801',
};

export interface MigrationConfig {
  /** Where users go; null: nowhere, or MIGRATION_PROVIDER has to say which of two. */
  readonly provider: ProviderName | null;
  /** What provisioning calls; null without its token. */
  readonly directory: DirectoryConfig | null;
}

/** Where users go, for whatever also works without: a token that is missing is no fault. */
export const MIGRATION = slice({
  variables: VARIABLES,
  examples: EXAMPLES,
  faults: ({ written }) => misfits(written),
  read: (v): { readonly migration: MigrationConfig } => ({
    migration: { provider: migrationProviderIn(v), directory: directoryOf(v) },
  }),
});

/** The directory that users are provisioned in, for commands that cannot do without. */
export const DIRECTORY = slice({
  variables: VARIABLES,
  examples: EXAMPLES,
  faults: ({ written }) => [...misfits(written), ...missing(written)],
  read(v): { readonly directory: DirectoryConfig } {
    const directory = directoryOf(v);
    if (directory === null) throw new Error('a fault of the variables was not found');
    return { directory };
  },
});

function directoryOf(v: Variables): DirectoryConfig | null {
  const provider = migrationProviderIn(v);
  if (provider === 'kanidm') {
    const { KANIDM_ISSUER_URL: issuer, KANIDM_TOKEN: token, KANIDM_SYNC_TOKEN: syncToken = null } = v;
    if (issuer === undefined || token === undefined) return null;
    return { provider, issuer, url: v.KANIDM_URL ?? new URL(issuer).origin, token, syncToken };
  }
  const { ZITADEL_ISSUER_URL: issuer, ZITADEL_PROVISIONING_TOKEN: token } = v;
  const url = zitadelUrl(v);
  if (provider === null || issuer === undefined || token === undefined || url === undefined) return null;
  const { ZITADEL_ORGANIZATION: organization = null, ZITADEL_PROJECT_ID: projectId = null } = v;
  return { provider, issuer, url, token, tenancy: v.ZITADEL_TENANCY, organization, projectId };
}

const LACKS = (variable: string, why: string): [string, string] => [variable, `is missing: ${why}`];

/** What is set and does not fit together. */
function misfits(written: Written): Fault[] {
  const has = (name: string): boolean => written[name] !== undefined;
  const named = written['MIGRATION_PROVIDER'];
  const roles = written['ZITADEL_TENANCY'] === 'roles';
  const organization = LACKS('ZITADEL_ORGANIZATION', 'it owns the project of ZITADEL_PROJECT_ID');
  return broken(
    [
      named === 'kanidm' && !has('KANIDM_ISSUER_URL'),
      ...LACKS('KANIDM_ISSUER_URL', 'MIGRATION_PROVIDER=kanidm needs it'),
    ],
    [
      named === 'zitadel' && !has('ZITADEL_ISSUER_URL'),
      ...LACKS('ZITADEL_ISSUER_URL', 'MIGRATION_PROVIDER=zitadel needs it'),
    ],
    [
      has('KANIDM_SYNC_TOKEN') && !has('KANIDM_TOKEN'),
      ...LACKS('KANIDM_TOKEN', 'KANIDM_SYNC_TOKEN only writes people; groups and reading need it'),
    ],
    [
      roles && !has('ZITADEL_PROJECT_ID'),
      ...LACKS('ZITADEL_PROJECT_ID', 'ZITADEL_TENANCY=roles keeps its roles there'),
    ],
    [!has('ZITADEL_ORGANIZATION') && (roles || has('ZITADEL_PROJECT_ID')), ...organization],
  );
}

/** What provisioning cannot do without. */
function missing(written: Written): Fault[] {
  const provider = migrationProviderIn(written);
  const has = (name: string): boolean => written[name] !== undefined;
  const both = has('KANIDM_ISSUER_URL') && has('ZITADEL_ISSUER_URL');
  return broken(
    [
      provider === null && both,
      ...LACKS('MIGRATION_PROVIDER', 'both Kanidm and Zitadel are configured, and users go to one of them'),
    ],
    [
      provider === null && !both,
      ...LACKS('KANIDM_ISSUER_URL', 'users go to Kanidm or Zitadel; for the latter set ZITADEL_ISSUER_URL'),
    ],
    [
      provider === 'kanidm' && !has('KANIDM_TOKEN') && !has('KANIDM_SYNC_TOKEN'),
      ...LACKS('KANIDM_TOKEN', 'accounts are made with it; docs/provisioning.md has the commands'),
    ],
    [
      provider === 'zitadel' && !has('ZITADEL_PROVISIONING_TOKEN'),
      ...LACKS('ZITADEL_PROVISIONING_TOKEN', 'accounts are made with it; docs/provisioning.md has the steps'),
    ],
  );
}
