import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { LOOPBACK, reservePort } from '../../dev/listen.ts';

/** A relay in front of Postgres that counts round trips: what a client waits for is a Sync or a simple Query. */
export interface CountingRelay {
  readonly port: number;
  /** Round trips since it was last called. */
  taken(): number;
  close(): Promise<void>;
}

const [SYNC, QUERY] = [0x53, 0x51];
const HEAD_BYTES = 5;

export async function startCountingRelay(to: number): Promise<CountingRelay> {
  let trips = 0;
  const server = createServer((client) => {
    const postgres = connect(to, LOOPBACK);
    const count = messageCounter((type) => {
      if (type === SYNC || type === QUERY) trips += 1;
    });
    client.on('data', count);
    client.pipe(postgres).pipe(client);
    for (const [one, other] of [
      [client, postgres],
      [postgres, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  const port = await reservePort(0);
  await once(server.listen(port, LOOPBACK), 'listening');
  return {
    port,
    taken() {
      const taken = trips;
      trips = 0;
      return taken;
    },
    async close() {
      await once(server.close(), 'close');
    },
  };
}

/** The messages of a client without TLS: the first has no type byte. */
function messageCounter(seen: (type: number) => void): (chunk: Buffer) => void {
  let started = false;
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const at = started ? 1 : 0;
      if (rest.length < HEAD_BYTES) return;
      const length = at + rest.readUInt32BE(at);
      if (rest.length < length) return;
      if (started) seen(rest.readUInt8(0));
      started = true;
      rest = rest.subarray(length);
    }
  };
}
