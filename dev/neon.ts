import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Client, DatabaseError, type QueryArrayResult } from 'pg';
import * as z from 'zod';
import { listen, LOOPBACK, stop } from './listen.ts';

/** A stand-in of Neon's SQL-over-HTTP endpoint: its headers and bodies, over any Postgres. */
export interface NeonEndpoint {
  readonly url: string;
  /** DATABASE_HTTP_ENDPOINT */
  readonly endpoint: string;
  close(): Promise<void>;
}

const Query = z.strictObject({ query: z.string(), params: z.array(z.string().nullable()) });
const Body = z.union([Query, z.strictObject({ queries: z.array(Query) })]);
type Query = z.infer<typeof Query>;

const ISOLATION: Readonly<Record<string, string>> = {
  ReadCommitted: 'read committed',
  RepeatableRead: 'repeatable read',
  Serializable: 'serializable',
};

export async function startNeonEndpoint(): Promise<NeonEndpoint> {
  const handle = getRequestListener(answer, { overrideGlobalObjects: false });
  const server = createServer((request, response) => void handle(request, response));
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  return { url, endpoint: `${url}/sql`, close: () => stop(server) };
}

async function answer(request: Request): Promise<Response> {
  if (request.method !== 'POST' || new URL(request.url).pathname !== '/sql') {
    return new Response('not found', { status: 404 });
  }
  for (const header of ['neon-raw-text-output', 'neon-array-mode']) {
    if (request.headers.get(header) !== 'true') return Response.json({ message: header }, { status: 400 });
  }
  const body = Body.parse(await request.json());
  const client = new Client({ connectionString: request.headers.get('neon-connection-string') ?? '' });
  // The server may go first; what matters is the answer below.
  client.on('error', () => undefined);
  try {
    await client.connect();
    if ('query' in body) return Response.json(await run(client, body));
    return Response.json({ results: await batch(client, body.queries, request.headers) });
  } catch (error) {
    return refusal(error);
  } finally {
    await client.end();
  }
}

async function batch(client: Client, queries: readonly Query[], headers: Headers): Promise<unknown[]> {
  const isolation = ISOLATION[headers.get('neon-batch-isolation-level') ?? 'ReadCommitted'];
  if (isolation === undefined) throw new Error('unknown isolation level');
  await client.query(`begin isolation level ${isolation}`);
  const results = [];
  for (const query of queries) results.push(await run(client, query));
  await client.query('commit');
  return results;
}

async function run(client: Client, { query, params }: Query): Promise<unknown> {
  const config = {
    text: query,
    values: params,
    rowMode: 'array' as const,
    types: { getTypeParser: () => (text: string) => text },
    queryMode: 'extended',
  };
  const { fields, command, rowCount, rows }: QueryArrayResult<unknown[]> = await client.query(config);
  return { fields, command, rowCount, rows, rowAsArray: true };
}

function refusal(error: unknown): Response {
  if (!(error instanceof DatabaseError)) {
    return Response.json({ message: 'Control plane request failed', code: null }, { status: 500 });
  }
  const { message, code, detail, severity, schema, table, column, constraint } = error;
  const fields = { message, code, detail, severity, schema, table, column, constraint };
  return Response.json(fields, { status: 400 });
}
