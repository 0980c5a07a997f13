import { Agent, request, type IncomingMessage } from 'node:http';
import type { Sent } from './runtime.ts';

/** An HTTP client that repairs nothing: the target goes out as written, nothing is decompressed or followed. */
export interface HttpClient {
  readonly fetch: (target: string, sent?: Sent) => Promise<Response>;
  close(): void;
}

/** `keepAlive`: false where the server closes connections whose bodies it did not read, which races the next request. */
export function httpClient(url: string, keepAlive = true): HttpClient {
  const agent = new Agent({ keepAlive });
  const { hostname, port } = new URL(url);
  return {
    fetch: (target, sent = {}) =>
      new Promise((resolve, reject) => {
        const { method = 'GET', headers = {}, body } = sent;
        const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
        const fields = { ...length, ...headers };
        const outgoing = request({ hostname, port, agent, method, path: target, headers: fields });
        outgoing.on('error', reject);
        outgoing.on('response', (incoming) => {
          toResponse(incoming).then(resolve, reject);
        });
        outgoing.end(body);
      }),
    close: () => {
      agent.destroy();
    },
  };
}

async function toResponse(incoming: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers = new Headers();
  const raw = incoming.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i]!, raw[i + 1]!);
  const status = incoming.statusCode ?? 0;
  const body = status === 204 || status === 304 ? null : Buffer.concat(chunks);
  return new Response(body, { status, headers });
}
