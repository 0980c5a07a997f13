import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isOwnPath } from './gateway/rules/own-routes.ts';

/** The one protocol that the gateway switches to; on the bundle's own routes to none, and no rule may take one over. */
export function asksForWebSocket({ headers, url }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && !isOwnPath(url ?? '');
}

/**
 * RFC 9110 §7.8: a server may ignore Upgrade. Clients offer h2c on plain requests (Java's does on every one), and are to
 * get their answer in HTTP/1.1. Node takes each upgrade out of its server's hands, so it is handed back without the offer.
 */
export function ignoreUpgrade(server: Server, message: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion } = message;
  const lines = [`${method ?? ''} ${url ?? ''} HTTP/${httpVersion}`, ...fieldsWithoutOffer(message)];
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
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
