import type { Refusal } from '../errors.ts';
import type { Log } from '../ports/log.ts';
import type { Random } from '../ports/runtime.ts';

/** LOG_REQUESTS and LOG_PATHS. */
export interface LoggingConfig {
  /** The share of requests that passed which get a line: 1 = all, 0 = none. All others always get one. */
  readonly passing: number;
  /** Whether the line of a refusal names the path. */
  readonly paths: boolean;
}

export interface RequestLog {
  /** Whether a request that ended with this code gets a line. */
  wants(code: string): boolean;
  /** `path` in the line of a refusal. */
  path(target: string): string | undefined;
  /** Logs an `internal_error` with its place in the code; nothing for any other refusal. */
  fault(refusal: Refusal, request: { readonly id: string; readonly method: string }): void;
}

const PASSED: ReadonlySet<string> = new Set(['ok', 'preflight']);
const DRAW_BYTES = 4;

export function requestLog(
  { passing, paths }: LoggingConfig,
  { log, random }: { readonly log: Log; readonly random: Pick<Random, 'hex'> },
): RequestLog {
  const most = passing * 256 ** DRAW_BYTES;
  return {
    wants(code) {
      if (passing === 1 || !PASSED.has(code)) return true;
      return passing > 0 && Number.parseInt(random.hex(DRAW_BYTES), 16) < most;
    },
    path: (target) => (paths ? loggedPath(target) : undefined),
    fault(refusal, { id, method }) {
      if (refusal.code !== 'internal_error') return;
      log.error('internal error', {
        request_id: id,
        reason: refusal.reason,
        method,
        cause: stackOf(refusal),
      });
    },
  };
}

/** Only where in the code: a message could quote what the caller sent. */
function stackOf({ cause }: Refusal): string | undefined {
  return cause instanceof Error ? cause.stack?.split('\n').slice(1, 6).join('\n') : undefined;
}

const MAX_PATH_BYTES = 512;
/** Characters examined: a caller chooses the length of a path, and each refused one is logged. */
const MAX_READ = 4 * MAX_PATH_BYTES;
const WITHIN_WORD = /[\w~+%\u0080-\uffff-]/;

const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;
/** Also encoded: some servers take what follows for a query or a fragment. */
const QUERY = /[?#]|%3F|%23/i;
/** `;jsessionid=…`, `access_token=…`: values that are named within a path. */
const VALUE = /(;|=|%3B|%3D)[^/]*/gi;
/** A JWS or JWE, in five parts as Zitadel's personal access tokens have. */
const JOSE = /eyJ[\w-]{6,}(?:(?:\.|%2[Ee])[\w-]*)*/g;
const WORD = /[\w~+-]{24,}/g;
/** Longer in hexadecimal than ids are (UUID, SHA-1). */
const LONG_HEX = /[0-9a-f]{41,}/gi;
const HIDDEN = '[hidden]';

/**
 * A request-target as the log may hold it: without authority, query and whatever looks like a token; in printable ASCII,
 * everything else as percent-encoded UTF-8; at most 512 bytes, cut between characters.
 */
export function loggedPath(target: string): string {
  const path = beginning(target).replace(AUTHORITY, '');
  const end = QUERY.exec(path)?.index ?? path.length;
  const shown = path
    .slice(0, end)
    .replace(VALUE, '$1')
    .replace(JOSE, HIDDEN)
    .replace(WORD, (word) => (isRandom(word) ? HIDDEN : word))
    .replace(/[^\x21-\x7e]+/g, encoded);
  return shown.length <= MAX_PATH_BYTES ? shown : cut(shown);
}

/** Without a word that the cut parts, because half a token may not look like one; 512 characters of it do. */
function beginning(target: string): string {
  if (target.length <= MAX_READ) return target;
  for (let end = MAX_READ; end > MAX_READ - MAX_PATH_BYTES; end -= 1)
    if (!WITHIN_WORD.test(target.charAt(end - 1))) return target.slice(0, end);
  return target.slice(0, MAX_READ);
}

/** Names made of words have one case or no digits; what was drawn at random has both cases and digits. */
function isRandom(word: string): boolean {
  if (!/[0-9]/.test(word)) return false;
  if (/[a-z]/.test(word) && /[A-Z]/.test(word)) return true;
  // Lookaheads for both classes in one expression are read again from each place of a long word.
  return (word.match(LONG_HEX) ?? []).some((hex) => /[0-9]/.test(hex) && /[a-f]/i.test(hex));
}

/** Node hands bytes over as characters below 256, other runtimes hand over text. */
function encoded(text: string): string {
  const bytes = /^[^\u0100-\uffff]*$/.test(text) ? Buffer.from(text, 'latin1') : Buffer.from(text);
  return [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function cut(ascii: string): string {
  let end = MAX_PATH_BYTES;
  const triplet = ascii.lastIndexOf('%', end - 1);
  if (triplet > end - 3) end = triplet;
  // A continuation byte behind the cut belongs to a character before it (RFC 3629 §3).
  if (/^%[89AB]/i.test(ascii.slice(end, end + 2))) {
    while (/^%[89AB]/i.test(ascii.slice(end - 3, end))) end -= 3;
    if (/^%[C-F]/i.test(ascii.slice(end - 3, end))) end -= 3;
  }
  return ascii.slice(0, end);
}
