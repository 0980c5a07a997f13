import { createHash, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { KanidmRefused } from './faults.ts';

/** A password as it is kept. Those of people who set one here are kept in the clear: nothing outlives the process. */
export interface StoredPassword {
  readonly kind: 'plain' | 'imported';
  readonly text: string;
}

/** Forms that Kanidm imports. Of those, `matches` verifies PBKDF2 of SHA-2 and SHA, salted or not; no password fits the others. */
const IMPORTABLE =
  /^(?:\{(?:PBKDF2(?:-SHA(?:1|256|512))?|S?SHA(?:256|512)?)\}|\{ARGON2\}\$argon2id\$|\{CRYPT\}\$[156]\$|pbkdf2_sha256\$|ipaNTHash: |sambaNTPassword: )/;

export function imported(text: string): StoredPassword {
  if (IMPORTABLE.test(text)) return { kind: 'imported', text };
  throw new KanidmRefused(500, {
    plugin: { credimport: 'password_import was unable to convert hash format' },
  });
}

export function matches(stored: StoredPassword, password: string): boolean {
  if (stored.kind === 'plain') return stored.text === password;
  return pbkdf2(stored.text, password) || saltedSha(stored.text, password);
}

function pbkdf2(text: string, password: string): boolean {
  const [, bits, iterations, salt = '', hash = ''] =
    /^\{PBKDF2-SHA(256|512)\}(\d+)\$([^$]+)\$(.+)$/.exec(text) ?? [];
  if (bits === undefined) return false;
  const wanted = bytesOf(hash);
  const made = pbkdf2Sync(password, bytesOf(salt), Number(iterations), wanted.length, `sha${bits}`);
  return timingSafeEqual(made, wanted);
}

/** passlib's base64. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64');
}

const LENGTHS = { '': 20, '256': 32, '512': 64 } as const;

function saltedSha(text: string, password: string): boolean {
  const [, bits, encoded = ''] = /^\{S?SHA(256|512)?\}(.+)$/.exec(text) ?? [];
  if (encoded === '') return false;
  const size = bits === '256' || bits === '512' ? bits : '';
  const bytes = Buffer.from(encoded, 'base64');
  const [hash, salt] = [bytes.subarray(0, LENGTHS[size]), bytes.subarray(LENGTHS[size])];
  const made = createHash(`sha${size === '' ? '1' : size}`)
    .update(password)
    .update(salt)
    .digest();
  return made.length === hash.length && timingSafeEqual(made, hash);
}

const SHORTEST = 15;

/** Throws as Kanidm does where a password that a person sets is too weak. The real one judges by zxcvbn too. */
export function mustBeStrong(password: string): void {
  if (password.length >= SHORTEST) return;
  throw new KanidmRefused(400, { passwordquality: [{ tooshort: SHORTEST }] });
}
