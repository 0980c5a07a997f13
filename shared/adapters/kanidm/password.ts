import type { Random } from '../../ports/runtime.ts';

/** As many as Workers do in one call; Kanidm makes a hash of its own at the next sign-in. */
const ITERATIONS = 100_000;
const SALT_BYTES = 16;
const HASH_BITS = 512;

/** A password in the form that Kanidm imports: PBKDF2 (RFC 8018) with HMAC-SHA-512, salt and hash in passlib's base64. */
export async function importable(password: string, random: Random): Promise<string> {
  const salt = Buffer.from(random.hex(SALT_BYTES), 'hex');
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(password), 'PBKDF2', false, [
    'deriveBits',
  ]);
  const algorithm = { name: 'PBKDF2', hash: 'SHA-512', salt, iterations: ITERATIONS };
  const bits = await crypto.subtle.deriveBits(algorithm, key, HASH_BITS);
  return `{PBKDF2-SHA512}${ITERATIONS}$${passlib(salt)}$${passlib(Buffer.from(bits))}`;
}

/** Base64 with `.` in place of `+`, unpadded. */
function passlib(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '.').replaceAll('=', '');
}
