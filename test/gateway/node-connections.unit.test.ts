import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { watchConnections } from '../../functions/node/connections.ts';

class FakeSocket extends EventEmitter {
  bytesWritten = 0;
  writableLength = 0;
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function watched() {
  let now = 1_000_000;
  const server = new EventEmitter();
  const lines: unknown[] = [];
  const note = (message: string, fields: unknown): void => void lines.push([message, fields]);
  const connections = watchConnections(
    server as unknown as Server,
    { perAddress: 2, stalledMs: 30_000, halfClosedMs: 1_000 },
    {
      proxies: { trusts: () => false },
      clock: { now: () => now },
      log: { debug: note, info: note, warn: note, error: note },
      cut: () => undefined,
    },
  );
  connections.stop();
  const emit = (socket: FakeSocket): void => void server.emit('connection', socket);
  const open = (address = '192.0.2.1'): FakeSocket => {
    const socket = new FakeSocket(address);
    emit(socket);
    return socket;
  };
  const after = (ms: number): void => {
    now += ms;
    connections.sweep();
  };
  return { connections, open, emit, after, lines };
}

it('a write that does not move is stalled after 30 s, and not before', () => {
  const { connections, open, after, lines } = watched();
  const socket = open();
  Object.assign(socket, { bytesWritten: 100_000, writableLength: 60_000 });
  after(0);
  after(29_999);
  expect(socket.destroyed).toBe(false);
  after(1);
  expect(socket.destroyed).toBe(true);
  expect(connections.stalled(socket as unknown as Socket)).toBe(true);
  expect(lines).toEqual([['connections cut', { stalled: 1, over_share: 0 }]]);
});

it('one that moves, however slowly, and one that has nothing to write are not stalled', () => {
  const { open, after, lines } = watched();
  const [slow, idle] = [open(), open()];
  slow.writableLength = 60_000;
  for (let sweeps = 0; sweeps < 100; sweeps++) {
    slow.bytesWritten += 65_536;
    after(29_000);
  }
  expect([slow.destroyed, idle.destroyed, lines]).toEqual([false, false, []]);
});

it('a /64 of IPv6 is one address, and IPv4 in IPv6 is IPv4', () => {
  const { open } = watched();
  const cut = (address: string): boolean => open(address).destroyed;
  expect(['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'].map(cut)).toEqual([
    false,
    false,
    true,
    false,
  ]);
  expect(['192.0.2.7', '::ffff:192.0.2.7', '192.0.2.7'].map(cut)).toEqual([false, false, true]);
});

it('a connection that is handed back to the server is still one', () => {
  const { connections, open, emit } = watched();
  const socket = open();
  for (let n = 0; n < 5; n++) emit(socket);
  expect(socket.destroyed).toBe(false);
  expect([...connections.open()]).toEqual([socket]);
  expect([open().destroyed, open().destroyed]).toEqual([false, true]);
});
