import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Border } from './border.ts';

/** A service behind a border, at an address of its own. */
export interface Crossing {
  readonly url: string;
  /** Resets every connection and refuses new ones. */
  cut(): void;
  mend(): Promise<void>;
  /** When the service is done with everything that was passed on to it. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** What was passed on and is not answered yet. */
export type UnderWay = Set<Promise<unknown>>;

/** Each request is a call. */
export function crossToHttp(target: string, border: Border): Promise<Crossing> {
  const underWay: UnderWay = new Set();
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const sent = await requestOf(incoming);
    const fate = border.judge();
    if (fate === 'lost') throw new Error('lost');
    const answer = await tracked(underWay, answerOf(new URL(incoming.url ?? '/', target), sent));
    if (fate === 'unanswered' || border.struck) throw new Error('unanswered');
    outgoing.writeHead(answer.status, { 'content-type': 'application/json' });
    outgoing.end(answer.body, () => {
      if (fate === 'answered') border.strike();
    });
  };
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => {
      // First, so that who made the call sees nothing of what follows.
      border.strike();
      incoming.socket.destroy();
    });
  });
  return openCrossing(server, target, underWay);
}

async function requestOf(incoming: IncomingMessage): Promise<RequestInit> {
  const { method = 'GET', headers: given } = incoming;
  const body = await buffer(incoming);
  const headers = {
    ...(given.authorization !== undefined && { authorization: given.authorization }),
    ...(body.length > 0 && { 'content-type': given['content-type'] ?? 'application/json' }),
  };
  return body.length === 0 ? { method, headers } : { method, body, headers };
}

async function answerOf(url: URL, request: RequestInit): Promise<{ status: number; body: string }> {
  const answer = await fetch(url, request);
  return { status: answer.status, body: await answer.text() };
}

export function tracked<T>(underWay: UnderWay, work: Promise<T>): Promise<T> {
  const ended: Promise<void> = Promise.allSettled([work]).then(() => void underWay.delete(ended));
  underWay.add(ended);
  return work;
}

export async function openCrossing(server: Server, target: string, underWay: UnderWay): Promise<Crossing> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    server.close();
    for (const socket of open) socket.resetAndDestroy();
  };
  const settled = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay);
  };
  return {
    url: target.replace(new URL(target).host, `127.0.0.1:${port}`),
    cut,
    mend: () => listen(port),
    settled,
    async close() {
      if (server.listening) cut();
      await settled();
    },
  };
}
