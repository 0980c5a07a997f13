import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startInWorkerd } from '../support/in-workerd.ts';
import own from './own-answers.worker.ts';

/** The fields of one answer, as a client gets them. */
interface Answered {
  readonly status: number;
  readonly headers: { get(name: string): string | null; getSetCookie(): string[] };
}

interface Running {
  get(path: string): Promise<Answered>;
  close(): Promise<unknown>;
}

const RUNTIMES: readonly { readonly name: string; start(): Promise<Running> }[] = [
  {
    name: 'node',
    async start() {
      const listener = getRequestListener((request) => own.fetch(request), { overrideGlobalObjects: false });
      const server = createServer((request, response) => void listener(request, response));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as AddressInfo;
      return {
        get: (path) => fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' }),
        close: async () => server.close(),
      };
    },
  },
  {
    name: 'workerd',
    async start() {
      const worker = await startInWorkerd(new URL('own-answers.worker.ts', import.meta.url), {
        variables: {},
      });
      return {
        get: (path) => worker.fetch(`http://gate.test${path}`, { redirect: 'manual' }),
        close: () => worker.close(),
      };
    },
  },
];

describe.each(RUNTIMES)('an own route on $name', (runtime) => {
  let running: Running;
  beforeAll(async () => {
    running = await runtime.start();
  });
  afterAll(() => running.close());

  it('may redirect, in the frame of every answer', async () => {
    const { status, headers } = await running.get('/redirect');
    expect([status, headers.get('location')]).toEqual([303, 'https://idp.example.org/authorize?state=1']);
    expect([headers.get('x-request-id'), headers.get('ratelimit-policy')]).toEqual([
      'r1',
      '"own";q=100;w=60',
    ]);
  });

  it('may set several cookies, each in a field of its own', async () => {
    const { status, headers } = await running.get('/cookies');
    expect([status, headers.get('location'), headers.get('x-request-id')]).toEqual([303, '/next', 'r1']);
    expect(headers.getSetCookie()).toEqual([
      'session=1; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly',
      'renewal=2; Path=/; HttpOnly',
    ]);
  });

  it('that answers with an error is a 500 in the frame', async () => {
    const { status, headers } = await running.get('/error');
    expect([status, headers.get('x-request-id')]).toEqual([500, 'r1']);
    expect(headers.get('content-type')).toBe('application/problem+json');
  });
});
