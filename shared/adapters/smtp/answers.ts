import * as z from 'zod';
import type { MailOutcome, SmtpConfig } from '../../ports/mail.ts';

/** The server closes the connection (RFC 5321 §3.8). */
export const CLOSING = 421;
/** About our account, not about the mail (RFC 4954 §6). */
const NOT_LET_IN = new Set([530, 534, 535, 538]);
/** The code of what nodemailer itself refuses: an address that no server could take (RFC 3463 §3.2). */
const UNUSABLE_ADDRESS = 553;

export function outcomeOf(code: number | undefined, committed: boolean, reason: string): MailOutcome {
  if (code === undefined) return { result: committed ? 'unknown' : 'later', reason, code };
  return { result: code >= 500 && !NOT_LET_IN.has(code) ? 'refused' : 'later', reason, code };
}

const Answered = z.object({ responseCode: z.number().int().min(200).max(599), response: z.string() });
const Unusable = z.object({ code: z.literal('EENVELOPE'), command: z.literal('API') });

/** The reply code in an error of nodemailer; undefined without an answer. */
export function answerIn(error: unknown): number | undefined {
  if (Unusable.safeParse(error).success) return UNUSABLE_ADDRESS;
  return Answered.safeParse(error).data?.responseCode;
}

export function codeIn(response: string): number | undefined {
  const digits = /^\d{3}/.exec(response)?.[0];
  return digits === undefined ? undefined : Number(digits);
}

export function reasonOf(error: unknown, config: SmtpConfig): string {
  const answered = Answered.safeParse(error).data;
  if (answered !== undefined) return shown(answered.response, config);
  return shown(error instanceof Error ? error.message : 'no reason given', config);
}

const MOST_REASON = 300;

/** On one line, and without credentials, which a server may repeat. */
export function shown(text: string, { credentials }: SmtpConfig): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  const { user = '', password = '' } = credentials ?? {};
  const encoded = [password, base64(password), base64(`\0${user}\0${password}`)];
  const clean = encoded.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '…')), line);
  return clean.slice(0, MOST_REASON);
}

function base64(text: string): string {
  return text === '' ? '' : Buffer.from(text).toString('base64');
}
