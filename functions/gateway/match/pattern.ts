import { Refusal } from '../../../shared/errors.ts';
import { judgePath } from '../read/path.ts';
import type { PathSegment } from './types.ts';

export type Pattern =
  | { readonly ok: true; readonly segments: readonly PathSegment[] }
  | { readonly ok: false; readonly problem: string };

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Parses a rule's path, decoded or percent-encoded. `judgePath` judges it as it does request paths, so that a rule is
 * refused exactly when no request could ever match it.
 */
export function parsePattern(path: string): Pattern {
  const problem = misspelt(path);
  if (problem !== undefined) return { ok: false, problem };
  try {
    const encoded = encodeNonAscii(path);
    const decoded = judgePath(encoded).segments;
    return nameSegments(encoded.slice(1).split('/'), decoded);
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, problem: error.reason };
    if (error instanceof URIError) return { ok: false, problem: 'text that is not valid Unicode' };
    throw error;
  }
}

function misspelt(path: string): string | undefined {
  if (!path.startsWith('/')) return 'it must begin with /';
  if (/[?#]/.test(path)) return 'a query or fragment is not part of the path';
  if (/[{}]/.test(path)) return 'a parameter is written :name, not {name}';
  return undefined;
}

function encodeNonAscii(path: string): string {
  return path.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** Raw text decides what is a parameter, so that `%3Aname` stays a literal. */
function nameSegments(raw: readonly string[], decoded: readonly string[]): Pattern {
  const names = new Set<string>();
  const segments: PathSegment[] = [];
  for (const [at, text] of raw.entries()) {
    if (!/^:|\*/.test(text)) {
      segments.push({ kind: 'literal', value: decoded[at] ?? '' });
      continue;
    }
    const name = text.slice(1);
    const kind = text.startsWith(':') ? 'param' : 'rest';
    const problem = misnamed(text, name, names) ?? misplaced(kind, at, raw.length);
    if (problem !== undefined) return { ok: false, problem };
    names.add(name);
    segments.push({ kind, name });
  }
  return { ok: true, segments };
}

function misnamed(text: string, name: string, taken: ReadonlySet<string>): string | undefined {
  if (/^[^:*]/.test(text)) return `"${text}": * only begins a name; write %2A for a literal asterisk`;
  if (name === '') return `"${text}" needs a name, as in ${text}rest`;
  if (!NAME.test(name)) return `"${name}" is not a parameter name: letters, digits and _ only`;
  return taken.has(name) ? `the parameter "${name}" is named twice` : undefined;
}

function misplaced(kind: 'param' | 'rest', at: number, length: number): string | undefined {
  return kind === 'rest' && at < length - 1 ? '*name takes the rest, so it must come last' : undefined;
}

/** Whether the pattern matches the segments of a path, whatever the method. For explanations: the trie serves requests. */
export function fits(pattern: readonly PathSegment[], segments: readonly string[]): boolean {
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at];
    if (segment === undefined) return false;
    if (part.kind === 'rest') return true;
    if (part.kind === 'literal' ? segment !== part.value : segment === '') return false;
  }
  return pattern.length === segments.length;
}

/** Equal for patterns that match the same paths. */
export function shapeOf(pattern: readonly PathSegment[]): string {
  return pattern
    .map((part) => (part.kind === 'literal' ? `=${part.value}` : part.kind === 'param' ? ':' : '*'))
    .join('/');
}

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

/** RFC 3986 §3.3: sub-delims, ":" and "@" need no encoding in a path. */
function encode(literal: string): string {
  return encodeURIComponent(literal).replace(/%(?:24|26|2B|2C|3A|3D|40)/g, decodeURIComponent);
}
