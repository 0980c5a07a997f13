import { ALERTS } from '../../shared/configuration/alerts.ts';
import { ZITADEL_URLS } from '../../shared/configuration/issuers.ts';
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
}

const OWN = slice({
  variables: {
    FUNCTIONS: list.default([]),
    // Where nothing has to have it, a malformed one is as good as none.
    PUBLIC_URL: publicUrl.optional().catch(undefined),
    ...ZITADEL_URLS,
    KANIDM_ISSUER_URL: issuerUrl.optional(),
  },
  read: (v): { readonly alarms: AlarmsConfig } => {
    const figuresKept = v.FUNCTIONS.includes('analytics');
    const issuers = { kanidm: v.KANIDM_ISSUER_URL, zitadel: v.ZITADEL_ISSUER_URL };
    return {
      alarms: {
        figuresKept,
        dashboard: figuresKept && v.PUBLIC_URL !== undefined ? `${v.PUBLIC_URL}/analytics` : null,
        providers: Object.entries(issuers).flatMap(([name, issuer]) =>
          issuer === undefined ? [] : [{ name, issuer }],
        ),
      },
    };
  },
});

/** Always on: a queue that stands still or a provider that is away concerns every function. */
export const ALARMING = {
  name: 'alarms',
  paths: [],
  // By its name: the number of a weekday differs between schedulers.
  schedule: { alarms: '*/5 * * * *', 'weekly-report': '0 6 * * MON' },
  slice: OWN.and(ALERTS),
} as const satisfies EdgeFunction;
