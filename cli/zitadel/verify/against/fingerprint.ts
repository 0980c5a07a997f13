import { createHash } from 'node:crypto';

/** Rows are put into this many parts by their own hash, so that a difference is found in a few of them. */
export const HEX_OF_PART = 3;
const PARTS = 16 ** HEX_OF_PART;
const HALF = 2 ** 24;

/** Between values, and in place of NULL: in no text that Zitadel stores. */
export const BETWEEN = '\u001f';
export const NULL = '\u001e';

export interface Part {
  readonly rows: number;
  /** Of 48 bits of each row's hash. */
  readonly sum: bigint;
}

/** The rows of one table, in any order, in constant memory. */
export type Fingerprint = ReadonlyMap<string, Part>;

/** MD5 in hexadecimal digits, as Postgres computes it too: for equality alone, no secret depends on it. */
export function hashOf(values: readonly (string | null)[]): string {
  return createHash('md5')
    .update(values.map((value) => value ?? NULL).join(BETWEEN))
    .digest('hex');
}

/** Adds up rows by their hashes. */
export class FingerprintBuilder {
  readonly #rows = new Uint32Array(PARTS);
  readonly #high = new Float64Array(PARTS);
  readonly #low = new Float64Array(PARTS);

  add(hash: string): void {
    const part = parseInt(hash.slice(0, HEX_OF_PART), 16);
    this.#rows[part] = (this.#rows[part] ?? 0) + 1;
    this.#high[part] = (this.#high[part] ?? 0) + parseInt(hash.slice(HEX_OF_PART, HEX_OF_PART + 6), 16);
    this.#low[part] = (this.#low[part] ?? 0) + parseInt(hash.slice(HEX_OF_PART + 6, HEX_OF_PART + 12), 16);
  }

  done(): Fingerprint {
    const parts = new Map<string, Part>();
    this.#rows.forEach((rows, part) => {
      if (rows === 0) return;
      const sum = BigInt(this.#high[part] ?? 0) * BigInt(HALF) + BigInt(this.#low[part] ?? 0);
      parts.set(part.toString(16).padStart(HEX_OF_PART, '0'), { rows, sum });
    });
    return parts;
  }
}

export function totalOf(fingerprint: Fingerprint): Part {
  let [rows, sum] = [0, 0n];
  for (const part of fingerprint.values()) [rows, sum] = [rows + part.rows, sum + part.sum];
  return { rows, sum };
}

export function isSame(one: Part | undefined, other: Part | undefined): boolean {
  return one?.rows === other?.rows && one?.sum === other?.sum;
}

/** Parts that differ, in their order. */
export function differing(one: Fingerprint, other: Fingerprint): readonly string[] {
  const parts = [...new Set([...one.keys(), ...other.keys()])];
  return parts.filter((part) => !isSame(one.get(part), other.get(part))).sort();
}
