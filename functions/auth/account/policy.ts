import { createHash } from 'node:crypto';
import { Refusal } from '../../../shared/errors.ts';
import type { AuthDeps } from '../deps.ts';
import { isCut, MOST_BYTES } from '../password/hashes.ts';
import { isCommon } from './common-passwords.ts';

/**
 * NIST SP 800-63B-4 §3.1.1.2 wants 15 characters where a password is all there is, and 8 beside a second factor. These are being
 * retired, and the second factor is the provider's: 8, so that no user has to choose a longer one shortly before the move.
 */
const LEAST_CHARACTERS = 8;

/**
 * Judges a new password by its length and by how many others have it; there are no rules of composition. `personal`: words of the account.
 * Throws Refusal `weak_password`, with the reason.
 */
export async function requireStrong(
  password: string,
  personal: readonly string[],
  deps: Pick<AuthDeps, 'config' | 'platform' | 'log'>,
): Promise<void> {
  if (Array.from(password).length < LEAST_CHARACTERS)
    throw weak(`It needs at least ${LEAST_CHARACTERS} characters.`);
  // bcrypt would read a part of it alone.
  if (isCut(password))
    throw weak(`It may have at most ${MOST_BYTES} bytes; letters beyond ASCII are two or more.`);
  // Implementations of bcrypt end at it.
  if (password.includes('\0')) throw weak('It may not have the character U+0000.');
  if (isCommon(password, personal.flatMap(partsOf))) throw weak('It is among those that are tried first.');
  if (deps.config.breachCheck && (await isBreached(password, deps)))
    throw weak('It is known from a breach of another service.');
}

/** An address also by what stands on either side of its @. */
function partsOf(word: string): string[] {
  return [word, ...word.split('@'), ...word.split(/[@.+_-]/)];
}

function weak(why: string): Refusal {
  return new Refusal('weak_password', why, { detail: why });
}

const RANGES = 'https://api.pwnedpasswords.com/range/';
const PREFIX = 5;
const WITHIN_MS = 2_000;

/** Have I Been Pwned by k-anonymity: five digits of the SHA-1 go out, for which there are hundreds of passwords. Away: not breached. */
async function isBreached(
  password: string,
  { platform, log }: Pick<AuthDeps, 'platform' | 'log'>,
): Promise<boolean> {
  const hash = createHash('sha1').update(password).digest('hex').toUpperCase();
  try {
    const { status, text } = await platform.exchange({
      method: 'GET',
      url: `${RANGES}${hash.slice(0, PREFIX)}`,
      headers: { 'add-padding': 'true' },
      timeoutMs: WITHIN_MS,
    });
    if (status !== 200) throw new Error(`status ${status}`);
    return text.split('\n').some((line) => {
      const [rest, count] = line.trim().split(':');
      return rest === hash.slice(PREFIX) && Number(count) > 0;
    });
  } catch (error) {
    log.warn('breached passwords not looked up', {
      reason: error instanceof Error ? error.message : 'unknown',
    });
    return false;
  }
}
