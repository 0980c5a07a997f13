import { createHash, createHmac } from 'node:crypto';
import type { KeyRing } from '../sessions/keys.ts';

/** What an invitation's link carries. */
export interface InvitationToken {
  /** 256 bits, base64url; stands in the mail alone. */
  readonly token: string;
  /** What is stored. */
  readonly hash: Uint8Array;
}

const USE = 'invitation token';

/**
 * The token of one step of an invitation, derived from SESSION_KEYS: a mail that is made again carries the same link, and nobody who
 * reads the tables can make one. A renewed link is a new step. After SESSION_KEYS have been rotated a step would get another token;
 * mails that wait keep theirs.
 */
export async function invitationToken(
  keyRing: KeyRing,
  invitation: string,
  step: string,
): Promise<InvitationToken> {
  const [secret] = (await keyRing.current()).secrets(USE);
  if (secret === undefined) throw new TypeError('no key to derive tokens from');
  const token = createHmac('sha256', secret)
    .update(JSON.stringify([invitation, step]))
    .digest('base64url');
  return { token, hash: invitationHash(token) };
}

/** Of a token as it came in a link. */
export function invitationHash(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}
