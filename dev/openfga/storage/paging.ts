import { FgaError } from '../errors.ts';

interface Page<T> {
  readonly items: readonly T[];
  /** Offset of the item after the last one shown. */
  readonly next: number;
  readonly more: boolean;
}

export function pageOf<T>(items: readonly T[], offset: number, size: number): Page<T> {
  const next = Math.min(offset + size, items.length);
  return { items: items.slice(offset, next), next, more: next < items.length };
}

/** Tokens are opaque to clients: an offset and, where the listing was filtered, what by. */
export function encodeToken(offset: number, filter = ''): string {
  return Buffer.from(`${offset}|${filter}`).toString('base64url');
}

export function decodeToken(token: string): { offset: number; filter: string } {
  if (token === '') return { offset: 0, filter: '' };
  const text = Buffer.from(token, 'base64url').toString();
  const [, digits, filter] = /^(\d+)\|(.*)$/.exec(text) ?? [];
  if (digits === undefined || filter === undefined) {
    throw new FgaError('invalid_continuation_token', 'Invalid continuation token');
  }
  return { offset: Number(digits), filter };
}
