import { Refusal } from '../../../shared/errors.ts';

/** Names and values in turn, as they arrived: `['Host', 'a', 'Accept', 'text/html']`. Duplicates and case are kept. */
export type HeaderList = readonly string[];

/** What the gateway itself reads of a request, and what may go on to the upstream. */
export interface ReadHeaders {
  authorization: string | undefined;
  /** Several lines are one list, RFC 9113 §8.2.3. */
  cookie: string | undefined;
  /** RFC 6455 §11.3.4. */
  protocols: string | undefined;
  /** https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header */
  fetchSite: string | undefined;
  origin: string | undefined;
  host: string | undefined;
  requestId: string | undefined;
  traceparent: string | undefined;
  contentLength: number;
  chunked: boolean;
  upgrade: string | undefined;
  preflightMethod: string | undefined;
  preflightHeaders: string | undefined;
  tracestate: string | undefined;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  forwardedHost: string | undefined;
  forwardedMethod: string | undefined;
  forwardedUri: string | undefined;
  /** Clean, original case and order. Not Authorization: a rule decides about that. */
  onward: string[];
  /** The first reason why the request may not go on; the other fields are read nevertheless, for the answer. */
  fault: Refusal | undefined;
}

/** For the fields of a request, and for its target. Both reach the upstream, whose own bound is rarely higher. */
export const MAX_HEAD_BYTES = 16_384;
/** What a field takes on the wire beside name and value: a colon, a space and the line's end. */
const FIELD_OVERHEAD = 4;

type Fate = 'read' | 'drop';

/**
 * RFC 9110 §7.6.1 connection-specific fields, and the fields by which a client could tell the upstream another
 * method, path or address than the one that was judged. `read` = dropped after the gateway has read it.
 */
const FATES = new Map<string, Fate>([
  ...fate('read', 'authorization host origin content-length transfer-encoding connection upgrade'),
  ...fate('read', 'x-request-id traceparent tracestate cookie sec-websocket-protocol sec-fetch-site'),
  ...fate('read', 'access-control-request-method access-control-request-headers'),
  ...fate('drop', 'keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer expect'),
  ...fate('drop', 'http2-settings forwarded x-real-ip x-client-ip x-cluster-client-ip true-client-ip'),
  ...fate('drop', 'cf-connecting-ip x-original-url x-original-uri x-original-method x-original-host x-host'),
  ...fate('drop', 'x-rewrite-url x-http-method x-http-method-override x-method-override'),
]);

function fate(what: Fate, names: string): [string, Fate][] {
  return names.split(' ').map((name) => [name, what]);
}

/** Families of fields that only the gateway may set. */
const OWNED = /^(?:x-user-|x-gateway-|x-forwarded-|x-envoy-)|^x-(?:user|gateway|forwarded)$/;

/** RFC 9110 §7.2, RFC 3986 §3.2.2: characters of a name or an address with its port. */
export const HOST = /^[\w.~!$&'()*+,;=%:[\]-]*$/;

const PLAIN_HOST = /^[a-z0-9.-]*[a-z](?::\d{1,4})?$/i;

/** RFC 9112 §3.2: what is no host is a 400, also `a:99999` and `%zz`, which no URL can be made of. */
export function isHost(value: string): boolean {
  if (value === '' || PLAIN_HOST.test(value)) return true;
  return HOST.test(value) && URL.canParse(`http://${value}`);
}

/** Read, and passed on too. */
const PASSES = new Set(
  'origin cookie sec-websocket-protocol sec-fetch-site content-length access-control-request-method access-control-request-headers'.split(
    ' ',
  ),
);

/**
 * One pass over the fields of a request. Its `fault` is `invalid_request` for fields that two servers could read in two
 * ways (RFC 9112 §6.3: framing; two credentials), `headers_too_large` for more than 16 KiB of them.
 */
export function readHeaders(list: HeaderList): ReadHeaders {
  const read = emptyHeaders();
  let connection = '';
  let bytes = 0;
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] ?? '';
    const value = list[i + 1] ?? '';
    const lower = name.toLowerCase();
    bytes += name.length + value.length + FIELD_OVERHEAD;
    const fate = FATES.get(lower);
    if (fate === undefined) {
      if (isOwned(lower)) readForwarded(read, lower, value);
      else read.onward.push(name, value);
    } else if (fate === 'read') {
      if (lower === 'connection') connection = connection === '' ? value : `${connection},${value}`;
      else readField(read, lower, value);
      if (PASSES.has(lower)) read.onward.push(name, value);
    }
  }
  if (read.chunked && read.contentLength >= 0)
    read.fault ??= malformed('Content-Length beside Transfer-Encoding');
  if (bytes > MAX_HEAD_BYTES) read.fault = headTooLarge('The header fields have', bytes);
  if (connection !== '') dropNominated(read, connection);
  return read;
}

function emptyHeaders(): ReadHeaders {
  return {
    authorization: undefined,
    cookie: undefined,
    protocols: undefined,
    fetchSite: undefined,
    origin: undefined,
    host: undefined,
    requestId: undefined,
    traceparent: undefined,
    contentLength: -1,
    chunked: false,
    upgrade: undefined,
    preflightMethod: undefined,
    preflightHeaders: undefined,
    tracestate: undefined,
    forwardedFor: undefined,
    forwardedProto: undefined,
    forwardedHost: undefined,
    forwardedMethod: undefined,
    forwardedUri: undefined,
    onward: [],
    fault: undefined,
  };
}

function readField(read: ReadHeaders, lower: string, value: string): void {
  switch (lower) {
    case 'authorization':
      // RFC 9110 §5.3: not a list field; with two, gateway and upstream could believe different ones.
      if (read.authorization !== undefined) read.fault ??= malformed('two Authorization headers');
      read.authorization = value;
      return;
    case 'content-length':
      if (read.contentLength >= 0 || !/^\d{1,15}$/.test(value))
        read.fault ??= malformed('malformed Content-Length');
      read.contentLength = Number(value);
      return;
    case 'transfer-encoding':
      if (read.chunked || value.trim().toLowerCase() !== 'chunked')
        read.fault ??= malformed('Transfer-Encoding other than chunked');
      read.chunked = true;
      return;
    case 'host':
      if (read.host !== undefined) read.fault ??= malformed('two Host headers');
      if (!isHost(value)) read.fault ??= malformed('malformed Host');
      read.host = value;
      return;
    case 'origin':
      read.fault ??= faultOfSingle('Origin', read.origin, value);
      read.origin = value;
      return;
    case 'cookie':
      read.cookie = read.cookie === undefined ? value : `${read.cookie};${value}`;
      return;
    case 'sec-websocket-protocol':
      read.protocols = read.protocols === undefined ? value : `${read.protocols},${value}`;
      return;
    case 'sec-fetch-site':
      read.fault ??= faultOfSingle('Sec-Fetch-Site', read.fetchSite, value);
      read.fetchSite = value;
      return;
    case 'x-request-id':
      read.requestId = value;
      return;
    case 'traceparent':
      read.traceparent = value;
      return;
    case 'upgrade':
      read.upgrade = value.toLowerCase();
      return;
    case 'tracestate':
      read.tracestate = value;
      return;
    case 'access-control-request-headers':
      read.preflightHeaders = value;
      return;
    case 'access-control-request-method':
      read.preflightMethod = value;
  }
}

/** With two values, gateway and upstream could judge different pages. Workers join lines by a comma, which neither field holds. */
function faultOfSingle(name: string, before: string | undefined, value: string): Refusal | undefined {
  return before !== undefined || value.includes(',') ? malformed(`two ${name} headers`) : undefined;
}

/** Kept aside: believed only when the peer is a trusted proxy. Several lines of X-Forwarded-For are one list. */
function readForwarded(read: ReadHeaders, lower: string, value: string): void {
  switch (lower) {
    case 'x-forwarded-for':
      read.forwardedFor = read.forwardedFor === undefined ? value : `${read.forwardedFor},${value}`;
      return;
    case 'x-forwarded-proto':
      read.forwardedProto = value;
      return;
    case 'x-forwarded-host':
      read.forwardedHost = value;
      return;
    case 'x-forwarded-method':
      read.forwardedMethod = value;
      return;
    case 'x-forwarded-uri':
      read.forwardedUri = value;
  }
}

/** `X_User_ID` and `X.User.ID` are the same variable as `X-User-ID` to CGI-style upstreams. */
function isOwned(lower: string): boolean {
  const alias = lower.includes('_') || lower.includes('.') ? lower.replace(/[_.]/g, '-') : lower;
  if (alias !== lower && FATES.has(alias)) return true;
  return alias.startsWith('x-') && OWNED.test(alias);
}

function dropNominated(read: ReadHeaders, connection: string): void {
  const lowered = connection.toLowerCase();
  if (lowered === 'keep-alive' || lowered === 'close') return;
  const nominated = new Set(lowered.split(',').map((name) => name.trim()));
  // Authorization and the identity headers are added after this, so naming them here takes nothing away.
  const kept: string[] = [];
  for (let i = 0; i + 1 < read.onward.length; i += 2) {
    const name = read.onward[i] ?? '';
    const lower = name.toLowerCase();
    if (!nominated.has(lower) || lower === 'content-length') kept.push(name, read.onward[i + 1] ?? '');
  }
  read.onward = kept;
}

/** `what`: the part that is too large, with its verb. */
export function headTooLarge(what: string, bytes: number): Refusal {
  const detail = `${what} ${bytes} bytes; at most ${MAX_HEAD_BYTES} (16 KiB) are taken.`;
  return new Refusal('headers_too_large', detail, { detail });
}

export function malformed(reason: string): Refusal {
  return new Refusal('invalid_request', reason, { detail: reason });
}
