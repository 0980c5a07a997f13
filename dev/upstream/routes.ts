import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { VerifyAssertion } from './assertion.ts';
import { summarize } from './body.ts';

/** Headers that only the gateway may have written: it removes what a client sends under these names. */
const GATEWAY_HEADERS = [
  'x-user-id',
  'x-user-issuer',
  'x-user-tenant',
  'x-user-tenant-slug',
  'x-user-role',
  'x-request-id',
  'traceparent',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-gateway-assertion',
];

const MAX_CHUNKS = 1_000;
const MAX_DELAY_MS = 60_000;

/** One kind of answer; `url` is the request target, parsed once. */
export type Route = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

/** Says back everything that arrived. */
export function echo(verify: VerifyAssertion): Route {
  return async (request, response, url) => {
    const body = await summarize(request);
    const assertion = request.headers['x-gateway-assertion'];
    json(response, 200, {
      method: request.method,
      path: (request.url ?? '').split('?', 1)[0],
      query: withoutTokens(url.search),
      user: request.headers['x-user-id'] ?? null,
      assertion: await verify(typeof assertion === 'string' ? assertion : undefined),
      from_gateway: GATEWAY_HEADERS.filter((name) => name in request.headers),
      headers: shown(request.headers),
      body: { ...body, preview: withoutTokens(body.preview) },
    });
  };
}

/** The beginning says which kind it is; the rest is good for whoever reads it off a screen. */
const SHOWN_CHARS = 12;

/** Headers as they came, but for tokens, which are cut. */
function shown(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { authorization, ...others } = headers;
  const all = Object.entries(others).map(([name, value]): [string, string | string[] | undefined] => [
    name,
    Array.isArray(value) ? value.map(withoutTokens) : value && withoutTokens(value),
  ]);
  const cut = authorization?.replace(
    /^(\S+\s+)?(.*)$/s,
    (_, scheme = '', token: string) => `${scheme}${cutShort(token)}`,
  );
  return { ...Object.fromEntries(all), ...(cut !== undefined && { authorization: cut }) };
}

/** JWTs, signed (three parts) and encrypted (five), wherever they stand. */
function withoutTokens(text: string): string {
  return text.replaceAll(/\beyJ[\w-]*(?:\.[\w-]*){1,4}/g, cutShort);
}

function cutShort(token: string): string {
  return token.length <= SHOWN_CHARS * 2
    ? token
    : `${token.slice(0, SHOWN_CHARS)}… (${token.length} characters)`;
}

/** /stream?chunks=5&ms=100: one line after the other, flushed as it is made. */
export const stream: Route = async (_request, response, url) => {
  const chunks = bounded(url.searchParams.get('chunks'), 5, MAX_CHUNKS);
  const pauseMs = bounded(url.searchParams.get('ms'), 0, MAX_DELAY_MS);
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  await pipeline(lines(chunks, pauseMs, response), response);
};

async function* lines(chunks: number, pauseMs: number, response: ServerResponse): AsyncGenerator<string> {
  for (let n = 1; n <= chunks; n += 1) {
    if (pauseMs > 0) await pause(pauseMs, response);
    yield `chunk ${n} of ${chunks}\n`;
  }
}

/** /slow?ms=1000: answers after that time, or not at all when the caller has left. */
export const slow: Route = async (_request, response, url) => {
  const ms = bounded(url.searchParams.get('ms'), 1_000, MAX_DELAY_MS);
  await pause(ms, response);
  if (!response.destroyed) json(response, 200, { waited_ms: ms });
};

/** /status/418: answers with that status. */
export const status: Route = async (request, response) => {
  const code = Number(/\/status\/(\d{3})(?:$|\?)/.exec(request.url ?? '')?.[1]);
  const known = code >= 200 && code <= 599;
  json(
    response,
    known ? code : 400,
    known ? { status: code } : { error: 'Give a status between 200 and 599' },
  );
};

/** Does not hold the process up once the caller is gone. */
async function pause(ms: number, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const leave = () => {
    gone.abort();
  };
  response.once('close', leave);
  await delay(ms, undefined, { signal: gone.signal }).catch(() => undefined);
  response.off('close', leave);
}

function bounded(text: string | null, fallback: number, max: number): number {
  const value = text === null ? fallback : Number(text);
  return Number.isInteger(value) && value >= 0 ? Math.min(value, max) : fallback;
}

function json(response: ServerResponse, code: number, value: unknown): void {
  const bodyless = code === 204 || code === 205 || code === 304;
  response.writeHead(code, bodyless ? {} : { 'content-type': 'application/json' });
  response.end(bodyless ? undefined : `${JSON.stringify(value, null, 2)}\n`);
}
