import { request as dial, type IncomingMessage } from 'node:http';
import { request as dialTls } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { nominatedBy, passesOn } from '../../edge/answer-headers.ts';
import { Refusal } from '../../errors.ts';
import type {
  Answer,
  AnswerHeaders,
  ForwardEvents,
  UpgradeExchange,
  Upstream,
  UpstreamRequest,
} from '../../ports/upstream.ts';
import { closeInTime, headText } from '../../edge/http-text.ts';
import type { Random } from '../../ports/runtime.ts';
import { CLIENT_GONE, SHARE_WAIT_MS } from '../../ports/upstream.ts';
import { Shares } from '../undici/target.ts';
import { notSent, refusalOf } from '../upstream-faults.ts';
import {
  PAIR_TIMES,
  pairWebSocket,
  type PairTimes,
  type Side,
  type WebSocketPair,
} from '../workerd/websocket-pair.ts';

export interface UpgradeUpstream extends Upstream<UpgradeExchange, Answer> {
  /** Closes every WebSocket with 1001, also those that open later; resolves when none is left. */
  leave(): Promise<void>;
}

/**
 * WebSocket upgrades on Node (RFC 6455 §4): the upstream's answer is forwarded, and once it agreed the two sockets are
 * joined. On Workers fetch forwards upgrades.
 */
export function upgradeUpstream(random: Pick<Random, 'hex'>, times: PairTimes = PAIR_TIMES): UpgradeUpstream {
  const pairs = new Set<WebSocketPair>();
  const mask = (): Buffer => Buffer.from(random.hex(MASK_BYTES), 'hex');
  let left: (() => void) | undefined;
  const targets = new Map<string, Shares>();
  const sharesOf = (base: string): Shares => {
    let shares = targets.get(base);
    if (shares === undefined) targets.set(base, (shares = new Shares(WEBSOCKETS_PER_TARGET)));
    return shares;
  };
  return {
    async forward(request, answer, { socket, head, message }, events) {
      // An upstream that does not switch would take what follows for this body, or for another request.
      if (request.hasBody)
        throw new Refusal('invalid_request', 'an upgrade with a body', { detail: NO_BODY });
      const reply = await admitted(sharesOf(request.base), request, socket).catch((error: unknown) => {
        if (socket.destroyed) return undefined;
        throw error;
      });
      // The event that ends a pair is over: nothing would close the upstream's side.
      if (reply === undefined || socket.destroyed) {
        reply?.message.socket.destroy();
        events.ended('client_gone');
        return { status: CLIENT_GONE };
      }
      events.answered(reply.status);
      if (reply.joined === undefined)
        passOn(reply, request.timeoutMs, answer, { socket, head, message }, events);
      else {
        socket.write(switchText(reply, answer));
        const pair = pairWebSocket({ socket, head }, reply.joined, times, () => {
          pairs.delete(pair);
          if (pairs.size === 0) left?.();
          events.ended('complete');
        });
        pairs.add(pair);
        if (left !== undefined) pair.leave(mask());
      }
      return { status: reply.status };
    },
    leave: () =>
      new Promise((resolve) => {
        left = resolve;
        for (const pair of pairs) pair.leave(mask());
        if (pairs.size === 0) resolve();
      }),
  };
}

const MASK_BYTES = 4;
/** TCP keep-alive detects an upstream that vanished. */
const KEEP_ALIVE_DELAY_MS = 60_000;
/** Long-lived, so counted apart from short exchanges. */
const WEBSOCKETS_PER_TARGET = 16_384;
const NO_BODY = 'An upgrade carries no body.';

interface Reply {
  readonly message: IncomingMessage;
  readonly status: number;
  /** Set when the upstream agreed to switch protocols. */
  readonly joined: Side | undefined;
}

/** Holds a share of the target's connections until the caller's own is closed. */
async function admitted(shares: Shares, request: UpstreamRequest, client: Duplex): Promise<Reply> {
  await turn(shares, request, client);
  const leave = (): void => {
    shares.leave(request.sharer);
  };
  try {
    const reply = await knock(request, client);
    if (client.destroyed) leave();
    else client.once('close', leave);
    return reply;
  } catch (error) {
    leave();
    throw refusalOf(error);
  }
}

/** Waits for the caller's share of the target's connections; rejects when none is free in time, or the caller is gone. */
function turn(shares: Shares, { sharer, timeoutMs }: UpstreamRequest, client: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    // A caller may disconnect during the decision.
    if (client.destroyed) {
      reject(new Error('client gone'));
      return;
    }
    const waiting = {
      begin(): void {
        settle();
        resolve();
      },
    };
    if (shares.enter(sharer, waiting)) {
      resolve();
      return;
    }
    const giveUp = (): void => {
      settle();
      shares.withdraw(sharer, waiting);
      reject(notSent('no free connection in time'));
    };
    const timer = setTimeout(giveUp, Math.min(SHARE_WAIT_MS, timeoutMs));
    const settle = (): void => {
      clearTimeout(timer);
      client.off('close', giveUp);
    };
    client.once('close', giveUp);
  });
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
      // Otherwise Node expects a caller's Host in the target's certificate.
      servername: isIP(hostname) === 0 ? hostname : '',
      // A connection of its own: bytes sent early must not precede another caller's request.
      agent: false,
    });
    const clientGone = (): void => {
      call.destroy(new Error('client gone'));
    };
    client.once('close', clientGone);
    const late = setTimeout(() => {
      call.destroy(new Refusal('upstream_timeout', 'no answer to the upgrade in time'));
    }, request.timeoutMs);
    const settle = (message: IncomingMessage, joined: Side | undefined): void => {
      client.off('close', clientGone);
      clearTimeout(late);
      resolve({ message, status: message.statusCode ?? 0, joined });
    };
    call.once('upgrade', (message, socket, head) => {
      settle(message, { socket, head });
    });
    call.once('response', (message) => {
      settle(message, undefined);
    });
    call.once('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS));
    call.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    call.end();
  });
}

/** The upstream did not switch: its answer ends with the connection. */
function passOn(
  { message, status }: Reply,
  timeoutMs: number,
  answer: AnswerHeaders,
  { socket }: UpgradeExchange,
  events: ForwardEvents,
): void {
  const fields = [...passing(message, answer), ...answer.set, 'connection', 'close'];
  socket.write(headText(status, message.statusMessage, fields));
  message.pipe(socket);
  message.setTimeout(timeoutMs, () => message.destroy());
  socket.once('finish', () => {
    closeInTime(socket);
  });
  // Cut by the upstream: the pipe alone would leave the client waiting for the rest.
  message.once('close', () => {
    if (!message.complete) socket.destroy();
  });
  socket.once('close', () => {
    message.destroy();
    events.ended('complete');
  });
}

function switchText({ message, status }: Reply, answer: AnswerHeaders): string {
  // RFC 9110 §7.8: these two make the switch; being hop-by-hop, they are ours to send.
  const made = ['connection', 'Upgrade', 'upgrade', 'websocket'];
  if (answer.protocol !== undefined && message.headers['sec-websocket-protocol'] === undefined)
    made.push('sec-websocket-protocol', answer.protocol);
  return headText(status, message.statusMessage, [...passing(message, answer), ...answer.set, ...made]);
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
