import * as z from 'zod';
import { broken, slice } from './slice.ts';

export interface MailEventsConfig {
  /** Bearer secret of those who report bounces and tickets; null: there are no such reports. */
  readonly mailEventsSecret: string | null;
}

/** A shorter secret that is not random can be guessed. */
const SHORT = 16;

export const MAIL_EVENTS = slice({
  variables: { MAIL_EVENTS_SECRET: z.string().optional() },
  read: (v): MailEventsConfig => ({ mailEventsSecret: v.MAIL_EVENTS_SECRET ?? null }),
  warnings: ({ mailEventsSecret }) =>
    broken([
      mailEventsSecret !== null && mailEventsSecret.length < SHORT,
      'MAIL_EVENTS_SECRET',
      `has fewer than ${SHORT} characters and may be guessed: write a longer, random one`,
    ]),
});
