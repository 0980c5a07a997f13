import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { OwnPaths } from '../../shared/edge/function.ts';
import { answerUnderWay } from './broken-requests.ts';

/**
 * The only protocol that the gateway switches to; own routes switch to none, and no rule may take one over.
 * RFC 6455 §4.1: GET only; RFC 9110 §7.8: never in HTTP/1.0.
 */
export function asksForWebSocket(
  { headers, url, method, httpVersion }: IncomingMessage,
  own: OwnPaths,
): boolean {
  const offered = headers.upgrade?.toLowerCase() === 'websocket';
  return offered && method === 'GET' && httpVersion === '1.1' && !own.has(url ?? '');
}

/**
 * RFC 9112 §9.3.2: answers leave in the order of their requests. Node detaches a socket at once when a request asks for
 * another protocol, even while it still answers earlier requests, and drops whatever should follow them.
 */
export function afterEarlierAnswers(socket: Duplex, go: () => void): void {
  if (socket.destroyed || socket.writableEnded) return;
  const current = answerUnderWay(socket);
  if (current === undefined) {
    go();
    return;
  }
  // Without a listener a reset connection would end the process.
  const reset = (): void => void socket.destroy();
  socket.once('error', reset);
  current.once('close', () => {
    // Node gives the socket to the next answer in the same turn.
    process.nextTick(() => {
      socket.off('error', reset);
      afterEarlierAnswers(socket, go);
    });
  });
}

/**
 * RFC 9110 §7.8: a server may ignore Upgrade. Clients offer h2c on plain requests (Java's on every one), and must get their
 * answer in HTTP/1.1. Node detaches each upgrade from its server, so it is handed back without the offer.
 */
export function ignoreUpgrade(server: Server, message: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion } = message;
  const lines = [`${method ?? ''} ${url ?? ''} HTTP/${httpVersion}`, ...fieldsWithoutOffer(message)];
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  // The server's idle time-out may have started after an earlier answer.
  if (socket instanceof Socket) socket.setTimeout(0);
  server.emit('connection', socket);
}

function fieldsWithoutOffer({ rawHeaders }: IncomingMessage): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const value = rawHeaders[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (lower === 'connection') kept.push(`${name}: ${withoutOption(value, 'upgrade')}`);
    else if (lower !== 'upgrade') kept.push(`${name}: ${value}`);
  }
  return kept;
}

function withoutOption(connection: string, option: string): string {
  return connection
    .split(',')
    .filter((one) => one.trim().toLowerCase() !== option)
    .join(',')
    .trim();
}
