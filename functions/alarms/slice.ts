import { ALERTS } from '../../shared/configuration/alerts.ts';
import * as z from 'zod';
import { tlsAddresses, type Encrypted } from '../../shared/checks/tls-addresses.ts';
import { ZITADEL_URLS, zitadelUrl } from '../../shared/configuration/issuers.ts';
import { publicUrl } from '../../shared/configuration/sessions.ts';
import { slice } from '../../shared/configuration/slice.ts';
import { issuerUrl, list } from '../../shared/configuration/values.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

export interface AlarmsConfig {
  /** Figures are kept: what is computed from them can be an alarm. */
  readonly figuresKept: boolean;
  /** The page of the figures; null: there is none, or no address of it. */
  readonly dashboard: string | null;
  /** Providers that people sign in by, with their issuers. */
  readonly providers: readonly { readonly name: string; readonly issuer: string }[];
  readonly watched: WatchedConfig;
}

/** What runs out, or stands still unseen. */
export interface WatchedConfig {
  /** Whose tokens are watched, as a service account; null: nobody's. */
  readonly zitadel: { readonly url: string; readonly token: string } | null;
  /** What certificates are read from. */
  readonly addresses: readonly Encrypted[];
  /** Null: no backups are kept here. */
  readonly backupDir: string | null;
}

const OWN = slice({
  variables: {
    FUNCTIONS: list.default([]),
    // Where nothing has to have it, a malformed one is as good as none.
    PUBLIC_URL: publicUrl.optional().catch(undefined),
    ...ZITADEL_URLS,
    KANIDM_ISSUER_URL: issuerUrl.optional(),
    ZITADEL_SERVICE_TOKEN: z.string().optional(),
    BACKUP_DIR: z.string().optional(),
  },
  read: (v, { written }): { readonly alarms: AlarmsConfig } => {
    const figuresKept = v.FUNCTIONS.includes('analytics');
    const [url, token] = [zitadelUrl(v), v.ZITADEL_SERVICE_TOKEN];
    const issuers = { kanidm: v.KANIDM_ISSUER_URL, zitadel: v.ZITADEL_ISSUER_URL };
    return {
      alarms: {
        figuresKept,
        dashboard: figuresKept && v.PUBLIC_URL !== undefined ? `${v.PUBLIC_URL}/analytics` : null,
        providers: Object.entries(issuers).flatMap(([name, issuer]) =>
          issuer === undefined ? [] : [{ name, issuer }],
        ),
        watched: {
          zitadel: url === undefined || token === undefined ? null : { url, token },
          addresses: tlsAddresses(written).encrypted,
          backupDir: v.BACKUP_DIR ?? null,
        },
      },
    };
  },
});

/** Always on: a queue that stands still or a provider that is away concerns every function. */
export const ALARMING = {
  name: 'alarms',
  paths: [],
  // By its name: the number of a weekday differs between schedulers.
  schedule: { alarms: '*/5 * * * *', watch: '*/10 * * * *', 'weekly-report': '0 6 * * MON' },
  slice: OWN.and(ALERTS),
} as const satisfies EdgeFunction;
