import { Refusal } from '../errors.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics, RequestMeasure } from '../ports/metrics.ts';
import { toProblem, toRefusal } from './problem.ts';
import { countRefusal, guardAddress, type LocalCounters } from './address-guard.ts';
import type { Cors, CorsFields } from './cors.ts';
import type { RequestLog } from './request-log.ts';

/** A path that the bundle answers by itself, before any access rule. */
export interface OwnRoute {
  /** Its name in the log and in metrics too. */
  readonly path: string;
  /** GET brings HEAD along. */
  readonly methods: readonly ('GET' | 'POST')[];
  /** True: each request counts against its address. False: only what is refused does; probes and signed deliveries always pass. */
  readonly guarded: boolean;
  /** Throws Refusal, and what `toRefusal` makes one of. */
  answer(request: Request): Response | Promise<Response>;
}

/** A request as far as the frame needs it. */
export interface Framed {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly address: string;
  /** Why it may go no further, for its form. */
  readonly fault: Refusal | undefined;
  readonly read: CorsFields & { readonly contentLength: number };
}

export interface FrameDeps {
  readonly cors: Cors;
  readonly guard: LocalCounters;
  readonly log: Log;
  readonly requests: RequestLog;
  readonly metrics: Metrics;
}

/** More than any event or form of the bundle's own routes has. */
export const MAX_OWN_BODY_BYTES = 65_536;

/**
 * What every answer of the bundle's own routes gets: request id, CORS fields, bounds, a problem document when refused, one
 * line and one measure. Never rejects.
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
  try {
    if (seen.fault !== undefined) throw seen.fault;
    const preflight = preflightAnswer(seen, deps);
    if (preflight !== undefined) code = 'preflight';
    answer = preflight ?? (await admitted(route, request, seen, deps));
  } catch (error) {
    refusal = countRefusal(toRefusal(error), seen.address, deps.guard);
    code = refusal.code;
    deps.requests.fault(refusal, seen);
    const { status, headers, body } = toProblem(refusal, seen.id);
    answer = new Response(body, { status, headers: new Headers(headers) });
  }
  complete(answer.headers, seen, deps.cors);
  const totalMs = performance.now() - startedMs;
  // RFC 9110 §9.3.2: the fields of GET without its content.
  if (seen.method === 'HEAD') answer = new Response(null, answer);
  record(seen, { rule: route.path, code, status: answer.status, totalMs }, refusal?.reason, deps);
  return answer;
}

function preflightAnswer({ method, read }: Framed, { cors }: FrameDeps): Response | undefined {
  const fields = cors.preflight(method, read);
  if (fields === undefined) return undefined;
  const headers = new Headers();
  set(headers, fields);
  return new Response(null, { status: 204, headers });
}

function admitted(
  route: OwnRoute,
  request: Request,
  { method, address, read }: Framed,
  { guard }: FrameDeps,
): Response | Promise<Response> {
  const allow = route.methods.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each]));
  if (!allow.includes(method)) {
    throw new Refusal('method_not_allowed', `${route.path} takes ${allow.join(', ')}`, {
      headers: { allow: allow.join(', ') },
    });
  }
  if (read.contentLength > MAX_OWN_BODY_BYTES) throw ownBodyTooLarge(MAX_OWN_BODY_BYTES);
  if (route.guarded) guardAddress(address, guard);
  return route.answer(request);
}

/** For routes that read their body: `most` bytes, declared or streamed. */
export function ownBodyTooLarge(most: number): Refusal {
  return new Refusal('body_too_large', `body of an own route over ${most} bytes`, {
    detail: `A body may have at most ${most} bytes here.`,
    headers: { connection: 'close' },
  });
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
  seen: Framed,
  measure: Pick<RequestMeasure, 'rule' | 'code' | 'status' | 'totalMs'>,
  reason: string | undefined,
  { log, requests, metrics }: FrameDeps,
): void {
  const { rule, code, status, totalMs } = measure;
  metrics.request({ ...measure, own: true, target: '', upstreamMs: 0 });
  if (!requests.wants(code)) return;
  log.info('request', {
    request_id: seen.id,
    method: seen.method,
    rule,
    status,
    code,
    reason,
    path: reason === undefined ? undefined : requests.path(seen.target),
    address: seen.address,
    us: Math.round(totalMs * 1_000),
  });
}
