import * as z from 'zod';
import { isMailAddress } from './mail.ts';
import { LOOPBACK } from './sessions.ts';
import { broken, halfOf, slice } from './slice.ts';
import { lacksDatabase } from './stores.ts';
import { parseUrl, url } from './values.ts';

export interface AlertsConfig {
  /** Where alarms and the weekly report are mailed to; null: nowhere. */
  readonly email: string | null;
  /** What alarms are posted to, signed with `key`; null: nothing. */
  readonly webhook: { readonly url: string; readonly key: string } | null;
}

/** A shorter key that is not random can be guessed. */
const SHORT = 16;

/** Where alarms are sent, beside the log and /metrics. */
export const ALERTS = slice({
  variables: {
    ALERT_EMAIL: z.string().refine(isMailAddress, 'write one address, as in oncall@example.org').optional(),
    ALERT_WEBHOOK_URL: url(['https:', 'http:'])
      .refine((text) => {
        const { protocol = 'https:', hostname = '' } = parseUrl(text) ?? {};
        return protocol === 'https:' || LOOPBACK.test(hostname);
      }, 'write https: http is taken on loopback alone')
      .refine((text) => (parseUrl(text)?.username ?? '') === '', 'write the URL without credentials')
      .optional(),
    ALERT_WEBHOOK_KEY: z.string().optional(),
  },
  examples: {
    ALERT_WEBHOOK_URL: 'https://alerts.example.org/sallyport',
    ALERT_WEBHOOK_KEY: 'a long random text (openssl rand -hex 32)',
  },
  faults: ({ written }) => halfOf(written, 'ALERT_WEBHOOK_URL', 'ALERT_WEBHOOK_KEY'),
  read: (v): { readonly alerts: AlertsConfig } => ({
    alerts: {
      email: v.ALERT_EMAIL ?? null,
      webhook:
        v.ALERT_WEBHOOK_URL === undefined || v.ALERT_WEBHOOK_KEY === undefined
          ? null
          : { url: v.ALERT_WEBHOOK_URL, key: v.ALERT_WEBHOOK_KEY },
    },
  }),
  warnings: ({ alerts }, given) =>
    broken(
      [
        alerts.webhook !== null && alerts.webhook.key.length < SHORT,
        'ALERT_WEBHOOK_KEY',
        `has fewer than ${SHORT} characters and may be guessed: write a longer, random one`,
      ],
      [
        alerts.email !== null && given.written['MAIL_URL'] === undefined,
        'ALERT_EMAIL',
        'is set without MAIL_URL: nothing is mailed',
      ],
      [
        (alerts.email !== null || alerts.webhook !== null) && lacksDatabase(given),
        alerts.email === null ? 'ALERT_WEBHOOK_URL' : 'ALERT_EMAIL',
        'is set without DATABASE_URL: there are no regular jobs, and no alarms',
      ],
    ),
});
