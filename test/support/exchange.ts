import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Stage } from './suite.ts';

/** A request whose body the test writes piece by piece. */
export function open(
  stage: Stage,
  target: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): ClientRequest {
  const call = request(stage.gateway.url + target, { agent: false, ...options });
  call.on('error', () => undefined);
  return call;
}

/** As a client whose program ends: the connection is reset, not just half-closed. */
export const leave = (call: ClientRequest): void => void call.socket?.resetAndDestroy();

export const answerOf = async (call: ClientRequest) =>
  ((await once(call, 'response')) as [IncomingMessage])[0];

/** Makes the upstream hand over the next exchange at this path. */
export function caught(stage: Stage, path: string): Promise<[IncomingMessage, ServerResponse]> {
  return new Promise((resolve) => {
    stage.upstream.on(path, (incoming, outgoing) => {
      resolve([incoming, outgoing]);
    });
  });
}
