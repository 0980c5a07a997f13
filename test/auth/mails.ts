import * as z from 'zod';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { openContent } from '../../shared/mail/outbox.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { sql } from '../../shared/ports/database.ts';
import type { AuthStage } from './suite.ts';

/** Mails wait in the outbox: nothing listens at port 1. */
export const MAILED = {
  NEW_USERS: 'both',
  MAIL_URL: 'smtp://127.0.0.1:1?tls=off',
  MAIL_FROM: 'Example <no-reply@example.org>',
};

export interface WaitingMail {
  readonly kind: string;
  readonly values: Readonly<Record<string, string | undefined>>;
}

const Row = z.object({ kind: z.string(), content: z.string() });

/** Mails to an address, the oldest first, as they are once opened with the keys of the gateway. */
export async function mailsOf(
  { database, alike }: Pick<AuthStage, 'database' | 'alike'>,
  address: string,
): Promise<WaitingMail[]> {
  const seal = sealBy(openKeyRing({ keys: alike['SESSION_KEYS']! }));
  const rows = await database.query(
    sql`select kind, content from sallyport_outbox where recipient = ${address} order by created_at`,
    Row,
  );
  return Promise.all(
    rows.map(async ({ kind, content }) => ({
      kind,
      values: (await openContent(content, seal))?.values ?? {},
    })),
  );
}

/** The token of the newest link. */
export function tokenIn(mails: readonly WaitingMail[]): string {
  return (
    new URL(mails.at(-1)?.values['link'] ?? 'https://nothing.example.org').searchParams.get('token') ?? ''
  );
}
