import type { StoredEvent } from './events.ts';
import { signature, toDelivery } from './wire.ts';

export interface Target {
  readonly url: string;
  readonly signingKey: string;
}

export interface Posting {
  readonly instanceId: string;
  readonly target: Target;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const TIMEOUT_MS = 10_000;

/** One delivery; answers the target's status, 0 when it did not answer. */
export async function post(event: StoredEvent, { instanceId, target, now }: Posting): Promise<number> {
  const answer = await postSigned(toDelivery(event, instanceId), target, now);
  return answer?.status ?? 0;
}

/** Signed at `now`, milliseconds since the epoch. The answer, without its body; undefined where none came. */
export async function postSigned(
  content: object,
  { url, signingKey }: Target,
  now: number,
): Promise<Response | undefined> {
  const body = JSON.stringify(content);
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'zitadel-signature': signature(body, signingKey, now) },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer;
}
