import type { Failure } from '../ports/directory.ts';
import type { Exchange } from '../ports/runtime.ts';
import { isTlsStatus, tlsFaultOf } from '../system-errors.ts';

export interface ProviderAnswer {
  readonly outcome: 'answered';
  readonly status: number;
  /** Parsed JSON; a text that is none as it is. */
  readonly body: unknown;
}

export interface ProviderCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the leading slash. */
  readonly path: string;
  readonly body?: unknown;
  /** Beside those of every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In the body, and in no reason, whatever the provider quotes. */
  readonly secrets?: readonly string[];
  /** For the whole exchange. */
  readonly timeoutMs: number;
}

export type Caller = (call: ProviderCall) => Promise<ProviderAnswer | Failure>;

/** Calls to one provider's API, with failures of the way there as outcomes. */
export function providerCaller(exchange: Exchange, url: string, token: string): Caller {
  return async ({ method, path, body, headers: own, secrets = [], timeoutMs }) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json', ...own };
    const sent =
      body === undefined
        ? { headers }
        : { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
    try {
      const {
        status,
        headers: fields,
        text,
      } = await exchange({
        method,
        url: url + path,
        timeoutMs,
        ...sent,
      });
      const quotable = status < 400 ? text : without([token, ...secrets], text);
      return failureOf(status, fields) ?? { outcome: 'answered', status, body: parsed(quotable) };
    } catch (error) {
      return unanswered(method, error);
    }
  };
}

/** Statuses that mean the same at every server, also one in front of the provider. */
function failureOf(status: number, fields: Readonly<Record<string, unknown>>): Failure | undefined {
  if (status === 429) return { outcome: 'busy', reason: 'status 429', retryAfterSeconds: secondsOf(fields) };
  if (status === 503) return { outcome: 'away', reason: 'status 503' };
  if (status === 502 || status === 504) return { outcome: 'slow', reason: `status ${status}` };
  if (isTlsStatus(status)) return { outcome: 'away', reason: 'its certificate is not trusted' };
  if (status >= 300 && status < 400)
    return {
      outcome: 'failed',
      reason: `status ${status}: it redirects, so the URL is not that of the API itself`,
    };
  return undefined;
}

/** Secrets as they are, and as JSON writes them. */
function without(secrets: readonly string[], text: string): string {
  const written = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  return written.reduce((all, secret) => (secret === '' ? all : all.replaceAll(secret, '…')), text);
}

function secondsOf({ 'retry-after': value }: Readonly<Record<string, unknown>>): number | null {
  return typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Errors of a connection that was never made, so that nothing was sent. */
const NEVER_SENT = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
];

/** A read that was not answered did nothing, whatever became of it. */
function unanswered(method: string, error: unknown): Failure {
  const tls = tlsFaultOf(error);
  if (tls !== undefined) return { outcome: 'away', reason: tls };
  const code = codeOf(error);
  const unsent = code !== undefined && NEVER_SENT.includes(code);
  if (isTimeout(error)) return { outcome: 'slow', reason: 'no answer in time' };
  if (error instanceof RangeError) return { outcome: 'failed', reason: error.message };
  const reason = code ?? 'unreachable';
  return unsent || method === 'GET' ? { outcome: 'away', reason } : { outcome: 'slow', reason };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
}

/** Codes alone: messages of the runtime may quote the request. */
function codeOf(error: unknown): string | undefined {
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth++, cause = cause.cause)
    if ('code' in cause && typeof cause.code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(cause.code))
      return cause.code;
  return undefined;
}

const LONGEST_REASON = 300;
/** Tokens, hashes of passwords in any known form, and links with codes. */
const SECRETS =
  /eyJ[\w-]{8,}(?:\.[\w-]*)*|\$(?:2[abxy]?|argon2\w*|[156y])\$\S+|\{[A-Z0-9-]{3,}\}\S+|(?<=token=)\S+/g;

/** The status and the provider's own text, cut and without secrets. */
export function reasonOf(status: number, text: unknown): string {
  const full = typeof text === 'string' ? text : JSON.stringify(text ?? '');
  const quoted = full.replaceAll(SECRETS, '…').slice(0, LONGEST_REASON).trim();
  return quoted === '' ? `status ${status}` : `status ${status}: ${quoted}`;
}
