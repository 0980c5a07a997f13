import * as z from 'zod';
import { parseRate } from '../counting/rate.ts';
import { whyUnreadable } from '../system-errors.ts';
import type { Fault } from './names.ts';
import type { Files } from './slice.ts';
export const list = z.string().transform((text) => text.split(',').flatMap((item) => item.trim() || []));

/** URL.parse() is newer than the oldest supported Node. */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

export function url(protocols: readonly string[]) {
  const wanted = protocols.map((protocol) => `${protocol}//…`).join(' or ');
  return (
    z
      .string()
      .refine((text) => protocols.includes(parseUrl(text)?.protocol ?? ''), `write a URL: ${wanted}`)
      // The parser drops tabs and line breaks silently; a comparison of bytes does not.
      .refine(
        (text) => parseUrl(text) === undefined || !/[\s\p{Cc}\p{Cf}]/u.test(text),
        'write the URL without white space or invisible characters',
      )
  );
}

/** True for a text that is no URL: it has that fault already. */
function withoutParts(...parts: readonly ('search' | 'hash' | 'username' | 'password')[]) {
  return (text: string): boolean => {
    const parsed = parseUrl(text);
    return parsed === undefined || parts.every((part) => parsed[part] === '');
  };
}

/** A base URL that paths are appended to: no query, no fragment, no credentials, no trailing slash kept. */
export const httpBase = url(['http:', 'https:'])
  .refine(
    withoutParts('search', 'hash', 'username', 'password'),
    'write a URL without query, fragment or credentials',
  )
  .transform((text) => text.replace(/\/+$/, ''));

export function whole(minimum: number, maximum: number, unit: string) {
  const problem = `write a whole number of ${unit} from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\s*\d+\s*$/, problem)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, problem);
}

/** Accepted by Node's pool, Neon's driver and Hyperdrive. */
export const postgresUrl = url(['postgres:', 'postgresql:']).refine(
  isDecodable,
  'write % as %25: it stands for an encoded character',
);

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

/** RFC 8414 §2 lets issuers carry a path; they are compared byte for byte, so nothing is normalised here. */
export const issuerUrl = url(['https:', 'http:']).refine(
  withoutParts('username', 'password'),
  'write the issuer without credentials: it is shown in the log and in /ready',
);

/** Compared verbatim: a wildcard, or a list in JSON, would silently match no token. */
export function plain(names: readonly string[]): boolean {
  return names.every((name) => !/[*"]/.test(name));
}

export const audiences = list.pipe(
  z
    .array(z.string())
    .min(1, 'write at least one audience, comma-separated')
    .refine(plain, 'name every audience, comma-separated and without quotes: there is no wildcard *'),
);

/** Ids of OpenFGA's stores and models; its SDK throws on anything else. https://github.com/ulid/spec */
export const ulid = z
  .string()
  .regex(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/, 'write the id that `npx sallyport fga bootstrap` prints: a ULID');

/** A list of entries of one form; faulty ones are named by position and not by value, which may be a URL with a password. */
export function listOf(fits: (entry: string) => boolean, wanted: string) {
  return list.superRefine((entries, context) => {
    const wrong = entries.flatMap((entry, index) => (fits(entry) ? [] : [index + 1]));
    if (wrong.length > 0)
      context.addIssue({ code: 'custom', message: `entry ${wrong.join(', ')}: ${wanted}` });
  });
}

/** A text parsed by `read`; undefined is a fault. */
export function readAs<T>(read: (text: string) => T | undefined, wanted: string) {
  return z.string().transform((text, context) => {
    const made = read(text);
    if (made !== undefined) return made;
    context.addIssue({ code: 'custom', message: wanted });
    return z.NEVER;
  });
}

/** Requests and a window; `name` as in RateLimit-Policy. */
export function rate(name: string) {
  return readAs((text) => parseRate(text, name), 'write requests and a window, as in 100/60s');
}

/** A text that a variable holds, or a file that it names. */
export type TextSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'inline'; readonly json: string };

/** Any JSON is taken for the text itself: for an object the fault is then that a list is wanted, not a missing file. */
export function textSource(text: string): TextSource {
  return /^\s*[[{"]/.test(text) ? { kind: 'inline', json: text } : { kind: 'file', path: text };
}

/** The faults of a text by `check`, or why it cannot be read. */
export function faultsIn(
  variable: string,
  source: TextSource,
  { readText }: Pick<Files, 'readText'>,
  check: (text: string) => readonly string[],
): Fault[] {
  let text: string;
  try {
    text = source.kind === 'inline' ? source.json : readText(source.path);
  } catch (error) {
    const what =
      source.kind === 'file' ? `names ${JSON.stringify(source.path.slice(0, 200))}, which cannot` : 'cannot';
    return [{ variable, problem: `${what} be read: ${whyUnreadable(error)}` }];
  }
  return check(text).map((problem) => ({ variable, problem }));
}
