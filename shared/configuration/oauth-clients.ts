import * as z from 'zod';
import type { ProviderName } from '../ports/directory.ts';
import { isOn } from './sessions.ts';
import { broken, slice, when, type Fault, type Written } from './slice.ts';
import { issuerUrl } from './values.ts';

/** An OAuth2 client of ours at a provider. */
export interface OAuthClient {
  readonly provider: ProviderName;
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client. */
  readonly clientSecret: string | null;
  /** Zitadel's project whose roles are tenants'; null: none. */
  readonly projectId: string | null;
}

export interface OAuthClientsConfig {
  readonly clients: readonly OAuthClient[];
}

const NONE: OAuthClientsConfig = { clients: [] };

const ON = slice({
  variables: {
    KANIDM_ISSUER_URL: issuerUrl.optional(),
    KANIDM_CLIENT_ID: z.string().optional(),
    KANIDM_CLIENT_SECRET: z.string().optional(),
    ZITADEL_ISSUER_URL: issuerUrl.optional(),
    ZITADEL_OAUTH_CLIENT_ID: z.string().optional(),
    ZITADEL_OAUTH_CLIENT_SECRET: z.string().optional(),
    ZITADEL_PROJECT_ID: z.string().optional(),
  },
  examples: {
    KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/app',
    KANIDM_CLIENT_ID: 'app',
    ZITADEL_ISSUER_URL: 'https://auth.example.org',
    ZITADEL_OAUTH_CLIENT_ID: '287398412356812805',
  },
  faults: ({ written }) => clientFaults(written),
  read: (v): OAuthClientsConfig => ({
    clients: [
      ...clientOf('kanidm', v.KANIDM_ISSUER_URL, v.KANIDM_CLIENT_ID, v.KANIDM_CLIENT_SECRET),
      ...clientOf(
        'zitadel',
        v.ZITADEL_ISSUER_URL,
        v.ZITADEL_OAUTH_CLIENT_ID,
        v.ZITADEL_OAUTH_CLIENT_SECRET,
        v.ZITADEL_PROJECT_ID,
      ),
    ],
  }),
});

/** The providers that people sign in by; none where sign-in is off. */
export const OAUTH_CLIENTS = when(({ written }) => isOn(written, 'auth'), ON, NONE);

function clientOf(
  provider: ProviderName,
  issuer: string | undefined,
  clientId: string | undefined,
  clientSecret: string | undefined,
  projectId?: string,
): OAuthClient[] {
  if (issuer === undefined || clientId === undefined) return [];
  return [{ provider, issuer, clientId, clientSecret: clientSecret ?? null, projectId: projectId ?? null }];
}

function clientFaults(written: Written): Fault[] {
  const needs = (one: string, other: string, why: string): [boolean, string, string] => [
    written[one] !== undefined && written[other] === undefined,
    other,
    `is missing: ${one} ${why}`,
  ];
  return broken(
    needs('KANIDM_CLIENT_ID', 'KANIDM_ISSUER_URL', 'needs it'),
    needs('ZITADEL_OAUTH_CLIENT_ID', 'ZITADEL_ISSUER_URL', 'needs it'),
    needs('KANIDM_CLIENT_SECRET', 'KANIDM_CLIENT_ID', 'is the secret of a client'),
    needs('ZITADEL_OAUTH_CLIENT_SECRET', 'ZITADEL_OAUTH_CLIENT_ID', 'is the secret of a client'),
  );
}
