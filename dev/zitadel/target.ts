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
  const body = JSON.stringify(toDelivery(event, instanceId));
  const answer = await fetch(target.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'zitadel-signature': signature(body, target.signingKey, now),
    },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status ?? 0;
}
