import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FgaError } from '../errors.ts';
import { parseBody } from './parse.ts';
import { match, type Endpoint, type Reply } from './route.ts';

/** The real server stops at about 600 KiB of protobuf; JSON says the same in up to twice the bytes. */
const MAX_BODY_BYTES = 1024 * 1024;

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Route, read, authenticate, answer: in the order of the real server, which decides what a faulty request is told. */
export function createHandler(endpoints: readonly Endpoint[], apiToken: string | undefined): Handler {
  return async (request, response) => {
    try {
      send(response, await answer(endpoints, apiToken, request));
    } catch (error) {
      sendError(response, error);
    }
  };
}

async function answer(
  endpoints: readonly Endpoint[],
  apiToken: string | undefined,
  request: IncomingMessage,
): Promise<Reply> {
  const url = new URL(request.url ?? '/', 'http://openfga.invalid');
  const { endpoint, path } = match(endpoints, request.method ?? 'GET', url.pathname);
  const body = parseBody(await readText(request));
  if (apiToken !== undefined && endpoint.open !== true) authenticate(request, apiToken);
  return endpoint.handle({ path, body, query: Object.fromEntries(url.searchParams) });
}

async function readText(request: IncomingMessage): Promise<string> {
  const stream: AsyncIterable<Uint8Array> = request;
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Read to the end even when it is too much: leaving early would cut the connection before the answer.
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (size <= MAX_BODY_BYTES) return Buffer.concat(chunks).toString();
  const message = `received message larger than max (${size} vs. ${MAX_BODY_BYTES})`;
  throw new FgaError('resource_exhausted', message);
}

function authenticate(request: IncomingMessage, apiToken: string): void {
  const presented = /^bearer +(\S.*)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (presented === undefined) throw new FgaError('bearer_token_missing', 'missing bearer token');
  if (!timingSafeEqual(digest(presented), digest(apiToken))) {
    throw new FgaError('unauthenticated', 'unauthenticated');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function send(response: ServerResponse, reply: Reply): void {
  response.setHeader('x-request-id', randomUUID());
  if ('lines' in reply) {
    sendText(response, reply.status, reply.lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  } else if ('body' in reply) {
    sendText(response, reply.status, JSON.stringify(reply.body));
  } else {
    response.writeHead(reply.status).end();
  }
}

function sendError(response: ServerResponse, error: unknown): void {
  if (!(error instanceof FgaError)) console.error('openfga stand-in:', error);
  const { status, code, message } =
    error instanceof FgaError ? error : new FgaError('internal_error', 'Internal Server Error');
  sendText(response, status, JSON.stringify({ code, message }));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
