/** A kind of mail: what its templates may name, and how it goes. */
export interface MailKind {
  /** Values that templates may name, beside those of every mail. */
  readonly values: readonly string[];
  /** Those that a template must name, in text and in HTML. */
  readonly needed: readonly string[];
  /** A person waits for it: sent before all others. */
  readonly urgent: boolean;
  /** Sent unasked: with a way to end it (RFC 8058), and not while the migration is paused. */
  readonly bulk: boolean;
}

/** Values of every mail: PRODUCT_NAME, SUPPORT_EMAIL, MIGRATION_GUIDE_URL. */
export const EVERY_MAIL = ['product', 'support_email', 'guide_url'] as const;

const ASKED_FOR = { urgent: true, bulk: false };

/** Mails of a wave. */
const OF_A_WAVE = {
  urgent: false,
  bulk: true,
  values: ['name', 'link', 'deadline', 'provider', 'unsubscribe_link'],
  needed: ['link', 'unsubscribe_link'],
};

/** Lines of a list in a template, which has no loops: those that are too many are left out with their values. */
export function lettered(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_none, at) => `${name}_${String.fromCharCode(97 + at)}`);
}

/** How many there are of each in the weekly report. */
export const REPORTED = { days: 7, tenants: 10, kpis: 5, alarms: 5 };

/** To the operators. */
const TO_OPERATORS = { urgent: true, bulk: false };

export const KINDS = {
  'confirm-registration': { ...ASKED_FOR, values: ['name', 'link', 'hours'], needed: ['link'] },
  'already-registered': { ...ASKED_FOR, values: ['name', 'link'], needed: [] },
  'password-reset': { ...ASKED_FOR, values: ['name', 'link', 'minutes'], needed: ['link'] },
  'password-elsewhere': { ...ASKED_FOR, values: ['name', 'start_url'], needed: ['start_url'] },
  invitation: OF_A_WAVE,
  reminder: OF_A_WAVE,
  /** A reminder that counts from the deadline: it comes after "no more reminders" too, and says so. */
  deadline: OF_A_WAVE,
  alarm: {
    ...TO_OPERATORS,
    values: ['alarm', 'detail', 'since', 'dashboard_link'],
    needed: ['alarm', 'detail'],
  },
  'alarm-cleared': {
    ...TO_OPERATORS,
    values: ['alarm', 'detail', 'since', 'at', 'dashboard_link'],
    needed: ['alarm'],
  },
  'weekly-report': {
    ...TO_OPERATORS,
    values: [
      ...[
        'week',
        'across',
        'across_bar',
        'completed',
        'invited',
        'oauth_logins',
        'password_logins',
        'forecast',
        'target',
      ],
      ...lettered('day', REPORTED.days),
      ...lettered('day_bar', REPORTED.days),
      ...lettered('tenant', REPORTED.tenants),
      ...lettered('tenant_bar', REPORTED.tenants),
      ...lettered('kpi', REPORTED.kpis),
      ...lettered('alarm', REPORTED.alarms),
      'dashboard_link',
    ],
    needed: ['week', 'across'],
  },
} as const satisfies Record<string, MailKind>;

export type MailKindName = keyof typeof KINDS;

export function isMailKind(name: string): name is MailKindName {
  return Object.hasOwn(KINDS, name);
}
