import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen, LOOPBACK, stop } from '../listen.ts';
import { endpoints, type Endpoints, type Reply } from './endpoints.ts';
import { FgaError, validationError } from './faults.ts';

export interface OpenFga {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the stand-in for an OpenFGA server on a free port of loopback, with everything kept in memory. */
export async function startOpenFga(): Promise<OpenFga> {
  const routes = endpoints();
  const server = createServer((request, response) => void respond(routes, request, response));
  const port = await listen(server);
  return { url: `http://${LOOPBACK}:${port}`, close: () => stop(server) };
}

async function respond(routes: Endpoints, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body } = await answer(routes, request).catch(refusal);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function answer(routes: Endpoints, request: IncomingMessage): Promise<Reply> {
  const { method = 'GET' } = request;
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://openfga.invalid');
  const body = await text(request);
  for (const [route, handle] of Object.entries(routes)) {
    const named = match(route, `${method} ${pathname}`);
    if (named !== undefined)
      return handle({ ...parseBody(body), ...Object.fromEntries(searchParams), ...named });
  }
  const message = `the stand-in of OpenFGA does not answer ${method} ${pathname}: see dev/openfga/README.md`;
  throw new FgaError('unimplemented', message, 501);
}

/** Returns what stands at the names of a route; undefined when it is another's. */
function match(route: string, asked: string): Record<string, string> | undefined {
  const names = route.split('/');
  const values = asked.split('/');
  if (names.length !== values.length) return undefined;
  const named: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? '';
    if (name.startsWith(':')) named[name.slice(1)] = value;
    else if (name !== value) return undefined;
  }
  return named;
}

/** A body must be one JSON object; nulls go, because in proto3 JSON they mean "not given". */
function parseBody(body: string): object {
  if (body.trim() === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body, (_key, value: unknown) => (value === null ? undefined : value));
  } catch {
    throw validationError('malformed JSON');
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw validationError('syntax error: unexpected token, expected an object');
}

function refusal(error: unknown): Reply {
  if (!(error instanceof FgaError)) console.error('openfga stand-in:', error);
  const { status, code, message } =
    error instanceof FgaError ? error : new FgaError('internal_error', 'Internal Server Error', 500);
  return { status, body: { code, message } };
}
