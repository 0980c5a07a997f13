import { parsePattern } from './pattern.ts';
import type { PathSegment } from './types.ts';

export type StripPrefix =
  | { readonly ok: true; readonly prefix: string; readonly length: number }
  | { readonly ok: false; readonly problem: string };

/** `strip_prefix` of a rule in the canonical encoding of judged paths; it must be leading literals of the rule's path. */
export function parseStripPrefix(text: string, path: readonly PathSegment[]): StripPrefix {
  if (text.endsWith('/'))
    return { ok: false, problem: 'it must name whole segments, without a slash at the end' };
  const parsed = parsePattern(text);
  if (!parsed.ok) return parsed;
  const literals = parsed.segments.flatMap((segment) => (segment.kind === 'literal' ? [segment.value] : []));
  const leads = literals.every((literal, at) => {
    const segment = path[at];
    return segment?.kind === 'literal' && segment.value === literal;
  });
  if (literals.length < parsed.segments.length || !leads) {
    return { ok: false, problem: 'it is not made of the first literal segments of path' };
  }
  return {
    ok: true,
    prefix: literals.map((literal) => `/${encode(literal)}`).join(''),
    length: literals.length,
  };
}

/** RFC 3986 §3.3: sub-delims, ":" and "@" stand unencoded in a path. */
function encode(literal: string): string {
  return encodeURIComponent(literal).replace(/%(?:24|26|2B|2C|3A|3D|40)/g, decodeURIComponent);
}
