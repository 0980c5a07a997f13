import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { slice } from '../shared/configuration/slice.ts';
import { systemFault } from '../shared/system-errors.ts';
import { Failure } from './failure.ts';
import { configured, missing } from './variables.ts';

/** 32 bytes, of which Zitadel makes an AES-256 key. */
export const MASTERKEY_BYTES = 32;

/** What a variable holds that one command cannot do without. Throws Failure with its name and purpose. */
export function needed<T>(value: T | null, variable: string, purpose: string): T {
  if (value === null) throw missing(variable, purpose);
  return value;
}

const MASTERKEY = slice({
  variables: { ZITADEL_MASTERKEY: z.string().optional(), ZITADEL_MASTERKEY_FILE: z.string().optional() },
  read: (v) => ({ text: v.ZITADEL_MASTERKEY ?? null, file: v.ZITADEL_MASTERKEY_FILE ?? null }),
});

/**
 * Zitadel's masterkey: for the one proof that needs it, and kept nowhere. Null where neither variable is set.
 * Throws Failure when the file cannot be read or the length is wrong, never with the value.
 */
export function masterkey(): Buffer | null {
  const { text, file } = configured(MASTERKEY);
  const [key, source] =
    file === null ? [text, 'ZITADEL_MASTERKEY'] : [readKey(file), 'ZITADEL_MASTERKEY_FILE'];
  if (key === null) return null;
  const bytes = Buffer.from(key, 'utf8');
  if (bytes.length === MASTERKEY_BYTES) return bytes;
  throw new Failure(`${source} has ${bytes.length} bytes; a masterkey has ${MASTERKEY_BYTES}`);
}

/** Without the line break that editors leave at the end. */
function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new Failure(
      `cannot read the file of ZITADEL_MASTERKEY_FILE: ${systemFault(error) ?? 'unknown error'}`,
      {
        cause: error,
      },
    );
  }
}
