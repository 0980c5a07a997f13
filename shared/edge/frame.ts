import { Refusal } from '../errors.ts';
import type { Counters, RatePolicy } from '../ports/counters.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics, RequestMeasure } from '../ports/metrics.ts';
import type { MaybePromise } from '../ports/runtime.ts';
import { refusalFields, shownOf, toProblem, toRefusal, type Shown } from './problem.ts';
import { addressCaller, countRefusal, guardAddress, type LocalCounters } from './quota.ts';
import { MAX_OWN_BODY_BYTES, ownBodyTooLarge, readBody } from './body.ts';
import type { Cors, CorsFields } from './cors.ts';
import { rateHeaders, rateLimited } from './quota.ts';
import type { RequestLog } from './request-log.ts';

/** A path that the bundle itself answers, before any access rule. */
export interface OwnRoute {
  /** A prefix, when it ends with a slash. Also its name in the log and in metrics. */
  readonly path: string;
  /** GET includes HEAD. */
  readonly methods: readonly ('GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE')[];
  /**
   * The quota of requests, by their address. `coarse`: one that all such routes of this instance share. A policy: the
   * route's own, over all instances, on top of that. `refusals`: only refusals count, so that probes and signed deliveries
   * always pass.
   */
  readonly quota: 'coarse' | 'refusals' | RatePolicy;
  /** Bytes of a body, at most MAX_BODY_BYTES; absent: MAX_OWN_BODY_BYTES. */
  readonly maxBodyBytes?: number;
  /** The path holds a secret: it is never logged. */
  readonly secretPath?: true;
  /**
   * A refusal for who accepts HTML, instead of the problem document: a route that people open in a browser. A text is a document without
   * assets; an answer has a status, fields and assets of its own.
   */
  readonly page?: (shown: Shown, requestId: string, request: Request) => string | Response;
  /**
   * Any answer: Response.redirect() too, several Set-Cookie fields, one that was fetched. Throws Refusal, or an error that
   * `toRefusal` maps.
   */
  answer(request: Request, context: RouteContext): MaybePromise<Response>;
}

/** What the frame passes to a route beside the request. */
export interface RouteContext {
  /** The request's id, as in the answer. */
  readonly id: string;
  /** The caller's address, by TRUSTED_PROXIES. */
  readonly address: string;
  /** The whole body, once. Throws as readBody(). */
  readonly body: () => Promise<Uint8Array>;
  /**
   * Takes Set-Cookie values for the answer, whatever that will be: what a session was renewed to may not be lost with a refusal. Of
   * one name the last value counts.
   */
  readonly setCookies: (lines: readonly string[]) => void;
}

/** The parts of a request that the frame needs. */
export interface Framed {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly address: string;
  /** Why it is refused as malformed. */
  readonly fault: Refusal | undefined;
  readonly read: CorsFields & { readonly contentLength: number };
}

export interface FrameDeps {
  readonly config: { readonly maxBodyBytes: number };
  readonly counters: Pick<Counters, 'take'>;
  readonly cors: Cors;
  readonly guard: LocalCounters;
  readonly log: Log;
  readonly requests: RequestLog;
  readonly metrics: Metrics;
}

/**
 * The frame of every answer of own routes: request id, CORS fields, bounds, a problem document when refused, one log line
 * and one measure. Never rejects, whatever a route throws or answers.
 */
export async function framed(
  route: OwnRoute,
  request: Request,
  seen: Framed,
  deps: FrameDeps,
): Promise<Response> {
  const startedMs = performance.now();
  let refusal: Refusal | undefined;
  let code = 'ok';
  let answer: Response;
  const cookies = new Map<string, string>();
  try {
    if (seen.fault !== undefined) throw seen.fault;
    const preflight = preflightAnswer(seen, deps);
    if (preflight !== undefined) code = 'preflight';
    answer = preflight ?? (await admitted(route, request, seen, cookies, deps));
  } catch (error) {
    ({ refusal, answer } = refused(error, { request, seen, route }, deps));
    code = refusal.code;
    deps.requests.fault(refusal, seen);
  }
  complete(answer.headers, seen, deps.cors);
  for (const line of cookies.values()) answer.headers.append('set-cookie', line);
  const totalMs = performance.now() - startedMs;
  // RFC 9110 §9.3.2: the fields of GET without its content.
  if (seen.method === 'HEAD') answer = new Response(null, answer);
  record(route, seen, { code, status: answer.status, totalMs }, refusal?.reason, deps);
  return answer;
}

interface Refusing {
  readonly request: Request;
  readonly seen: Framed;
  readonly route: OwnRoute;
}

function refused(error: unknown, { request, seen, route: { page } }: Refusing, { guard }: FrameDeps) {
  const { id, address } = seen;
  const refusal = countRefusal(toRefusal(error), address, guard);
  const isShown = page !== undefined && /\btext\/html\b/.test(request.headers.get('accept') ?? '');
  try {
    return {
      refusal,
      answer: isShown
        ? pageAnswer(refusal, id, page(shownOf(refusal), id, request))
        : problemAnswer(refusal, id),
    };
  } catch (invalidField) {
    const internal = toRefusal(invalidField);
    return { refusal: internal, answer: problemAnswer(internal, id) };
  }
}

function problemAnswer(refusal: Refusal, id: string): Response {
  const { status, headers, body } = toProblem(refusal, id);
  return new Response(body, { status, headers: new Headers(headers) });
}

const PAGE_FIELDS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};

function pageAnswer(refusal: Refusal, id: string, page: string | Response): Response {
  const { status, headers } = toProblem(refusal, id);
  if (typeof page !== 'string') {
    // A redirect, as to sign-in, is another answer.
    if (page.status === status) set(page.headers, Object.entries(refusalFields(refusal)).flat());
    return page;
  }
  return new Response(page, {
    status,
    headers: new Headers({ ...headers, ...PAGE_FIELDS }),
  });
}

function preflightAnswer({ method, read }: Framed, { cors }: FrameDeps): Response | undefined {
  const fields = cors.preflight(method, read);
  if (fields === undefined) return undefined;
  const headers = new Headers();
  set(headers, fields);
  return new Response(null, { status: 204, headers });
}

async function admitted(
  route: OwnRoute,
  request: Request,
  { id, method, address, read }: Framed,
  cookies: Map<string, string>,
  deps: FrameDeps,
): Promise<Response> {
  const allow = route.methods.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each]));
  if (!allow.includes(method)) {
    throw new Refusal('method_not_allowed', `${route.path} takes ${allow.join(', ')}`, {
      headers: { allow: allow.join(', ') },
    });
  }
  const most = Math.min(route.maxBodyBytes ?? MAX_OWN_BODY_BYTES, deps.config.maxBodyBytes);
  if (read.contentLength > most) throw ownBodyTooLarge(most);
  const limited = await counted(route, address, deps);
  const answer = await route.answer(request, {
    id,
    address,
    body: () => readBody(request, most),
    setCookies(lines) {
      for (const line of lines) cookies.set(line.slice(0, line.indexOf('=')), line);
    },
  });
  const open = withOpenFields(answer);
  set(open.headers, limited);
  return open;
}

/** Fields of Response.redirect() and of fetched answers are immutable (Fetch standard §5.1). Throws for Response.error(). */
function withOpenFields(answer: Response): Response {
  if (answer.status === 0) throw new TypeError('a network error is no answer');
  try {
    // Only the frame sets it.
    answer.headers.delete('x-request-id');
    return answer;
  } catch {
    return new Response(answer.body, answer);
  }
}

/** Rate limit fields of the route's own quota. Throws Refusal `rate_limited`, and as `Counters`. */
async function counted({ quota }: OwnRoute, address: string, deps: FrameDeps): Promise<readonly string[]> {
  if (quota === 'refusals') return [];
  guardAddress(address, deps.guard);
  if (quota === 'coarse') return [];
  const taken = await deps.counters.take({ caller: addressCaller(address), policy: quota });
  if (!taken.allowed) throw rateLimited(quota, taken);
  const fields = rateHeaders(quota, taken);
  return ['ratelimit-policy', fields['RateLimit-Policy'], 'ratelimit', fields.RateLimit];
}

function complete(headers: Headers, { id, read }: Framed, cors: Cors): void {
  headers.set('x-request-id', id);
  // A preflight has its fields already.
  if (!headers.has('access-control-allow-origin')) set(headers, cors.headers(read.origin));
}

function set(headers: Headers, fields: readonly string[]): void {
  for (let i = 0; i + 1 < fields.length; i += 2) headers.set(fields[i] ?? '', fields[i + 1] ?? '');
}

function record(
  { path: rule, secretPath }: OwnRoute,
  seen: Framed,
  measure: Pick<RequestMeasure, 'code' | 'status' | 'totalMs'>,
  reason: string | undefined,
  { log, requests, metrics }: FrameDeps,
): void {
  const { code, status, totalMs } = measure;
  metrics.request({ ...measure, rule, own: true, target: '', upstreamMs: 0 });
  if (!requests.wants(code)) return;
  log.info('request', {
    request_id: seen.id,
    method: seen.method,
    rule,
    status,
    code,
    reason,
    path: reason === undefined || secretPath === true ? undefined : requests.path(seen.target),
    address: seen.address,
    us: Math.round(totalMs * 1_000),
  });
}
