/** An element: quoted with backslash escapes, or bare. */
const ELEMENT = /"((?:[^"\\]|\\.)*)"|([^,{}"]+)/gs;

/** Array literal of one dimension (PostgreSQL manual, 8.15.6). */
export function decodeArray(text: string, decode: (text: string) => unknown): unknown[] {
  if (!text.startsWith('{') || text.startsWith('{{')) {
    throw new RangeError('only arrays of one dimension, counted from 1, are read');
  }
  return Array.from(text.slice(1, -1).matchAll(ELEMENT), ([, quoted, bare]) => {
    if (quoted !== undefined) return decode(quoted.replaceAll(/\\(.)/gs, '$1'));
    return bare === undefined || bare === 'NULL' ? null : decode(bare);
  });
}
