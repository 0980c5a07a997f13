import { createServer, type Server } from 'node:http';
import { endpointsOf } from './api/endpoints.ts';
import { createHandler } from './api/handler.ts';
import { Stores } from './storage/stores.ts';

export interface OpenFgaOptions {
  readonly host?: string;
  /** 0 = any free port. */
  readonly port?: number;
  /** When set, every request but the health check needs it as bearer token. */
  readonly apiToken?: string;
}

export interface OpenFga {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts the stand-in for an OpenFGA server: its HTTP API, in this process, with everything kept in memory. */
export async function startOpenFga(options: OpenFgaOptions = {}): Promise<OpenFga> {
  const { host = '127.0.0.1', port = 0, apiToken } = options;
  const handler = createHandler(endpointsOf(new Stores()), apiToken);
  const server = createServer((request, response) => void handler(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { url: urlOf(server, host), close: () => stop(server) };
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

/** Cuts what is still open, so that no kept-alive socket holds the process. */
async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeAllConnections();
  await closed;
}
