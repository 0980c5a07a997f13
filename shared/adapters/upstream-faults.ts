import { Refusal } from '../errors.ts';

/** No connection was opened: nothing was sent, so a retry is safe. */
const NEVER_OPENED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH']);
const BROKE = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'ECONNABORTED']);
const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);
/** Node's codes for a head that must not be sent. */
const UNWRITABLE = new Set([
  'ERR_INVALID_CHAR',
  'ERR_INVALID_HTTP_TOKEN',
  'ERR_HTTP_INVALID_STATUS_CODE',
  'ERR_HTTP_INVALID_HEADER_VALUE',
]);
const TOO_LONG_A_HEAD = new Set(['UND_ERR_HEADERS_OVERFLOW', 'HPE_HEADER_OVERFLOW']);

/** The client library cannot express the caller's request. */
const UNSENDABLE = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED']);

export function neverOpened(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(neverOpened);
  return NEVER_OPENED.has(codeOf(error));
}

/** The connection ended; whether the upstream acted on the request is unknown. */
export function brokeOff(error: unknown): boolean {
  return BROKE.has(codeOf(error));
}

/** Maps a failed attempt to the caller's refusal; the reason is only logged. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof Error && error.cause instanceof Refusal) return error.cause;
  const code = codeOf(error);
  const cause = { cause: error };
  if (TIMEOUTS.has(code)) return new Refusal('upstream_timeout', `no answer in time (${code})`, cause);
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return notSent('no connection in time', error);
  const unreadable = whyUnreadable(error, code);
  if (unreadable !== undefined) return undigestible(unreadable, error);
  if (BROKE.has(code)) {
    return new Refusal('upstream_unreachable', `the connection broke before an answer (${code})`, cause);
  }
  if (UNSENDABLE.has(code)) {
    return new Refusal('invalid_request', `cannot be sent on (${code})`, {
      ...cause,
      detail: UNSENDABLE_DETAIL,
    });
  }
  return new Refusal('upstream_unreachable', `no connection (${code || 'unknown'})`, cause);
}

/** 504 for a request that was not sent. */
export function notSent(reason: string, error?: unknown): Refusal {
  return new Refusal('upstream_timeout', reason, { cause: error, detail: NOT_SENT });
}

function undigestible(reason: string, error: unknown): Refusal {
  return new Refusal('upstream_unreachable', `the answer cannot be read: ${reason}`, {
    cause: error,
    detail: UNDIGESTIBLE,
  });
}

export function bodyStalled(): Refusal {
  return new Refusal('request_timeout', 'the body stalled');
}

export function bodyBrokeOff(error?: unknown): Refusal {
  return new Refusal('invalid_request', 'the body broke off', { cause: error });
}

const NOT_SENT =
  'No connection to the API behind the gateway was to be had in time. The request was not sent.';
const UNDIGESTIBLE = 'The API behind the gateway gave an answer that cannot be passed on.';
const UNSENDABLE_DETAIL = 'The request cannot be sent on to the API behind the gateway.';

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The parser's message: it names what was expected, and quotes nothing. */
function whyUnreadable(error: unknown, code: string): string | undefined {
  if (TOO_LONG_A_HEAD.has(code)) return 'its head is over 16 KiB';
  if (!(error instanceof Error)) return undefined;
  // Of undici's socket errors these two concern the answer: an interim 100, an unrequested switch of protocols.
  if (error.name === 'HTTPParserError' || /^bad (?:response|upgrade)$/.test(error.message))
    return error.message;
  if (code.startsWith('HPE_') || UNWRITABLE.has(code)) return code;
  return code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ? 'its length is not what it declares' : undefined;
}
