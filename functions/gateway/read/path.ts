import { Refusal } from '../../../shared/errors.ts';
import { prove, type Proof } from '../../../shared/proof.ts';

/** A request path with one reading for every later stage (matcher, strip_prefix, upstream). */
export type JudgedPath = Proof<Path, 'judged'>;

interface Path {
  /** Canonical and still encoded: what is forwarded, byte for byte. Begins with `/`. */
  readonly path: string;
  /** `` or `?…`, untouched. */
  readonly query: string;
  /** Decoded, without the leading slash: `/a/` is `['a', '']`, `/` is `['']`. */
  readonly segments: readonly string[];
}

const judged = prove<'judged'>();

const PLAIN = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)*\/?$/;
const ORIGIN = /^https?:\/\/[^/?#]*/i;
// RFC 3986 §3.3 pchar, less ";" (path parameters let `/admin;x` and `..;/` mean different things to different servers).
const ALLOWED = /^[A-Za-z0-9._~!$&'()*+,=:@%/-]*$/;
const QUERY = /^[\x21-\x7e]*$/;
const TRIPLET = /%([0-9A-Fa-f]{2})/g;
const UNRESERVED = /[A-Za-z0-9._~-]/;
// Decoded characters that some servers take for structure: / \ ; ? # controls, and % before two hex digits (a second
// decoding would make a new path). Controls are all of Unicode's: U+0085 ends a line, too.
const STRUCTURE = /[/\\;?#\p{Cc}]|%[0-9A-Fa-f]{2}/u;

/**
 * Judges a raw request target (RFC 9112 §3.2 origin-form or absolute-form).
 * Throws Refusal `invalid_path` rather than repair what two servers could read in two ways.
 */
export function judgePath(target: string): JudgedPath {
  const { path, query } = split(target);
  if (!QUERY.test(query)) throw refuse('control, space, fragment or non-ASCII character in the query');
  // The common case has nothing to decode, and no segment that begins with a dot.
  if (PLAIN.test(path)) return judged<Path>({ path, query, segments: path.slice(1).split('/') });
  const canonical = canonicalise(path);
  return judged<Path>({ path: canonical, query, segments: decodeSegments(canonical) });
}

function split(target: string): { path: string; query: string } {
  let rest = target;
  if (!target.startsWith('/')) {
    const origin = ORIGIN.exec(target);
    if (origin === null) throw refuse('neither origin-form nor absolute-form');
    // The authority is dropped: the configuration alone decides where a request goes.
    rest = target.slice(origin[0].length);
    if (!rest.startsWith('/')) rest = `/${rest}`;
  }
  if (rest.includes('#')) throw refuse('fragment in the request target');
  const mark = rest.indexOf('?');
  return mark < 0 ? { path: rest, query: '' } : { path: rest.slice(0, mark), query: rest.slice(mark) };
}

/** RFC 3986 §6.2.2: upper-case hex, unreserved characters decoded; nothing else changes. */
function canonicalise(path: string): string {
  if (!ALLOWED.test(path)) throw refuse('a character that a path may not carry');
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) throw refuse('malformed percent-encoding');
  return path.replace(TRIPLET, (triplet, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) ? character : triplet.toUpperCase();
  });
}

function decodeSegments(path: string): string[] {
  const segments = path.slice(1).split('/');
  return segments.map((segment, index) => {
    if (segment === '' && index < segments.length - 1) throw refuse('empty segment');
    return decodeSegment(segment);
  });
}

function decodeSegment(segment: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch {
    throw refuse('percent-encoding that is not UTF-8');
  }
  if (decoded === '.' || decoded === '..') throw refuse('dot segment');
  if (STRUCTURE.test(decoded))
    throw refuse('encoded slash, backslash, semicolon, percent or control character');
  return decoded;
}

/**
 * The path that remains after `prefix`, judged again: forwarded and judged path stay one and the same.
 * Throws Refusal `invalid_path` when nothing safe remains.
 */
export function stripPrefix(whole: JudgedPath, prefix: string): JudgedPath {
  if (!whole.path.startsWith(prefix)) throw refuse('the path does not begin with strip_prefix');
  const rest = whole.path.slice(prefix.length);
  if (rest !== '' && !rest.startsWith('/')) throw refuse('strip_prefix ends inside a segment');
  return judgePath((rest === '' ? '/' : rest) + whole.query);
}

function refuse(reason: string): Refusal {
  return new Refusal('invalid_path', reason, {
    detail: `Servers read this path in different ways: ${reason}.`,
  });
}
