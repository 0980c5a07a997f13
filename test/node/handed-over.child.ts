import cluster from 'node:cluster';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { unansweredOf } from '../../functions/node/member.ts';

/** A worker is stopped, handed a connection, and killed. Prints what it was handed over by, and what its client got to see. */
async function lead(): Promise<void> {
  const [, self = ''] = process.argv;
  cluster.setupPrimary({ exec: join(dirname(self), 'launcher.cjs'), args: [self] });
  const worker = cluster.fork();
  const { process: child } = worker;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  let handOver: (message: unknown) => void = () => undefined;
  const handedOver = new Promise((resolve) => (handOver = resolve));
  Object.assign(child, {
    send(message: unknown, handle: unknown, ...rest: unknown[]): boolean {
      if (handle !== undefined && handle !== null) handOver(message);
      return send(message, handle, ...rest);
    },
  });
  const closeUnanswered = unansweredOf(worker);
  const [{ port }] = (await once(worker, 'listening')) as [AddressInfo];
  child.kill('SIGSTOP');
  const client = connect(port, '127.0.0.1');
  const { act } = (await handedOver) as { act?: unknown };
  child.kill('SIGKILL');
  await once(worker, 'exit');
  const open = !client.closed;
  closeUnanswered();
  if (act === 'newconn') await once(client, 'close');
  process.stdout.write(JSON.stringify({ act, open, closed: client.closed }));
  process.exit(0);
}

if (cluster.isPrimary) void lead();
else createServer().listen(0, '127.0.0.1');
