import { request as dial, type IncomingMessage } from 'node:http';
import { request as dialTls } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { nominatedBy, passesOn } from '../answer-headers.ts';
import { Refusal } from '../errors.ts';
import type {
  Answer,
  AnswerHeaders,
  ForwardEvents,
  UpgradeExchange,
  Upstream,
  UpstreamRequest,
} from '../upstream.ts';
import { headText } from '../http-text.ts';

/**
 * WebSocket upgrades on Node (RFC 6455 §4): the upstream's answer passes on, and once it agreed the two sockets are
 * joined. On Workers fetch passes upgrades by itself.
 */
export function upgradeUpstream(): Upstream<UpgradeExchange, Answer> {
  return {
    async forward(request, answer, exchange, events) {
      // An upstream that does not switch would take what follows for this body, or for another request.
      if (request.hasBody)
        throw new Refusal('invalid_request', 'an upgrade with a body', { detail: NO_BODY });
      const reply = await knock(request, exchange.socket);
      events.answered(reply.status);
      if (reply.joined === undefined) passOn(reply, answer, exchange, events);
      else joinSockets(reply, reply.joined, answer, exchange, events);
      return { status: reply.status };
    },
  };
}

const NO_BODY = 'An upgrade carries no body.';

interface Reply {
  readonly message: IncomingMessage;
  readonly status: number;
  /** Set when the upstream agreed to switch protocols. */
  readonly joined: Joined | undefined;
}

interface Joined {
  readonly socket: Duplex;
  /** What came behind the upstream's head. */
  readonly head: Buffer;
}

function knock(request: UpstreamRequest, client: Duplex): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = new URL(request.base);
    const hostname = url.hostname.replace(/^\[|\]$/g, '');
    const call = (url.protocol === 'https:' ? dialTls : dial)(url.origin, {
      method: request.method,
      path: url.pathname.replace(/\/+$/, '') + request.path,
      headers: [
        ...request.headers,
        ...['Host', request.host ?? url.host, 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
      ],
      // Otherwise Node takes a caller's Host for the name in the target's certificate.
      servername: isIP(hostname) === 0 ? hostname : '',
      timeout: request.timeoutMs,
      // A connection of its own: what a client sends early must not precede somebody else's request.
      agent: false,
    });
    const clientGone = (): void => {
      call.destroy(new Error('client gone'));
    };
    client.once('close', clientGone);
    const settle = (message: IncomingMessage, joined: Joined | undefined): void => {
      client.off('close', clientGone);
      resolve({ message, status: message.statusCode ?? 0, joined });
    };
    call.once('upgrade', (message, socket, head) => {
      settle(message, { socket, head });
    });
    call.once('response', (message) => {
      settle(message, undefined);
    });
    call.once('timeout', () =>
      call.destroy(new Refusal('upstream_timeout', 'no answer to the upgrade in time')),
    );
    call.once('error', (error) => {
      const cause = { cause: error };
      reject(
        error instanceof Refusal ? error : new Refusal('upstream_unreachable', 'connection failed', cause),
      );
    });
    call.end();
  });
}

/** The upstream did not switch: its answer ends with the connection. */
function passOn(
  { message, status }: Reply,
  answer: AnswerHeaders,
  { socket }: UpgradeExchange,
  events: ForwardEvents,
): void {
  const fields = [...passing(message, answer), ...answer.set, 'connection', 'close'];
  socket.write(headText(status, message.statusMessage, fields));
  message.pipe(socket);
  // Cut short by the upstream: the pipe alone would leave the client waiting for the rest.
  message.once('close', () => {
    if (!message.complete) socket.destroy();
  });
  socket.once('close', () => {
    message.destroy();
    events.ended('complete');
  });
}

function joinSockets(
  { message, status }: Reply,
  joined: Joined,
  answer: AnswerHeaders,
  { socket: client, head }: UpgradeExchange,
  events: ForwardEvents,
): void {
  const upstream = joined.socket;
  // RFC 9110 §7.8: these two make the switch; they are ours to say, hop by hop.
  const fields = [
    ...passing(message, answer),
    ...answer.set,
    'connection',
    'Upgrade',
    'upgrade',
    'websocket',
  ];
  if (answer.protocol !== undefined && message.headers['sec-websocket-protocol'] === undefined)
    fields.push('sec-websocket-protocol', answer.protocol);
  client.write(headText(status, message.statusMessage, fields));
  if (joined.head.length > 0) client.write(joined.head);
  if (head.length > 0) upstream.write(head);
  upstream.on('error', () => client.destroy());
  client.on('error', () => upstream.destroy());
  upstream.once('close', () => client.destroy());
  client.once('close', () => {
    upstream.destroy();
    events.ended('complete');
  });
  upstream.pipe(client);
  client.pipe(upstream);
}

function passing({ rawHeaders, headers }: IncomingMessage, answer: AnswerHeaders): string[] {
  const nominated = nominatedBy(headers.connection);
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (passesOn(name.toLowerCase(), answer.ownsCors, nominated)) kept.push(name, rawHeaders[i + 1] ?? '');
  }
  return kept;
}
