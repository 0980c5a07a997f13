import { request as connect, type IncomingMessage } from 'node:http';
import { request as connectTls } from 'node:https';
import type { Duplex } from 'node:stream';
import { Refusal } from '../../shared/errors.ts';
import { toProblem, toRefusal } from '../../shared/problem.ts';
import type { UpstreamRequest } from '../../shared/upstream.ts';
import { decide } from './decide.ts';
import { answerHeaders, type GatewayDeps } from './index.ts';
import { Journey } from './journey.ts';
import { inboundOf } from './node-transport.ts';
import { identityHeaders, onward } from './onward.ts';
import { record } from './record.ts';
import { readRequest, type GatewayRequest } from './request.ts';

/**
 * WebSocket upgrades on Node (RFC 6455 §4): decided like any request, then the two sockets are joined.
 * Other upgrades are refused. On Workers fetch passes upgrades by itself.
 */
export function websockets(deps: GatewayDeps) {
  return (message: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Without a listener a reset connection would end the process.
    socket.on('error', () => socket.destroy());
    void upgrade(message, socket, head, deps);
  };
}

async function upgrade(
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  deps: GatewayDeps,
): Promise<void> {
  const journey = new Journey();
  let request: GatewayRequest | undefined;
  let status: number;
  try {
    request = readRequest(inboundOf(message), deps.proxies, deps.random);
    if (request.read.upgrade !== 'websocket')
      throw new Refusal('invalid_request', 'upgrade to another protocol');
    const decision = await decide(request, journey, deps);
    const identity = identityHeaders(request, decision, await deps.assertion(decision));
    const answer = await knock(onward(request, decision, identity, deps.config), socket);
    journey.answered();
    status = join(answer, socket, head, answerHeaders(request, journey, deps));
  } catch (error) {
    journey.refusal = toRefusal(error);
    const problem = toProblem(journey.refusal, request?.id ?? deps.random.uuid());
    status = problem.status;
    const set = request === undefined ? [] : answerHeaders(request, journey, deps);
    const fields = [...set, ...Object.entries(problem.headers).flat(), 'connection', 'close'];
    socket.end(`${headText(status, '', fields)}${problem.body}`);
  }
  record(request, journey, status, 'complete', deps);
}

interface Knocked {
  readonly message: IncomingMessage;
  /** Set when the upstream agreed to switch protocols. */
  readonly joined: { readonly socket: Duplex; readonly head: Buffer } | undefined;
}

function knock(outbound: UpstreamRequest, client: Duplex): Promise<Knocked> {
  return new Promise((resolve, reject) => {
    const url = new URL(outbound.base);
    const dial = url.protocol === 'https:' ? connectTls : connect;
    const call = dial(url.origin, {
      method: outbound.method,
      path: url.pathname.replace(/\/+$/, '') + outbound.path,
      headers: [...outbound.headers, 'Host', url.host, 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
      timeout: outbound.timeoutMs,
    });
    const gone = (): void => {
      call.destroy();
    };
    client.once('close', gone);
    call.once('upgrade', (message, socket, head) => {
      client.off('close', gone);
      socket.setTimeout(0);
      resolve({ message, joined: { socket, head } });
    });
    call.once('response', (message) => {
      resolve({ message, joined: undefined });
    });
    call.once('timeout', () => {
      call.destroy();
      reject(new Refusal('upstream_timeout', 'no answer to the upgrade in time'));
    });
    call.once('error', (error) => {
      reject(new Refusal('upstream_unreachable', 'connection failed', { cause: error }));
    });
    call.end();
  });
}

function join({ message, joined }: Knocked, client: Duplex, head: Buffer, set: readonly string[]): number {
  const status = message.statusCode ?? 502;
  if (joined === undefined) {
    client.write(
      headText(status, message.statusMessage ?? '', [
        ...passing(message.rawHeaders),
        ...set,
        'connection',
        'close',
      ]),
    );
    message.pipe(client);
    return status;
  }
  const { socket: upstream } = joined;
  upstream.on('error', () => client.destroy());
  client.on('error', () => upstream.destroy());
  client.write(headText(status, message.statusMessage ?? '', [...message.rawHeaders, ...set]));
  if (joined.head.length > 0) client.write(joined.head);
  if (head.length > 0) upstream.write(head);
  upstream.pipe(client);
  client.pipe(upstream);
  upstream.once('close', () => client.destroy());
  client.once('close', () => upstream.destroy());
  return status;
}

/** An answer that is no upgrade ends with the connection, so its framing fields stay behind. */
function passing(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!/^(connection|keep-alive|transfer-encoding|upgrade)$/i.test(name))
      kept.push(name, rawHeaders[i + 1] ?? '');
  }
  return kept;
}

function headText(status: number, reason: string, fields: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i] ?? ''}: ${fields[i + 1] ?? ''}\r\n`;
  return `${text}\r\n`;
}
