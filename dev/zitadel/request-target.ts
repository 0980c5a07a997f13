import { UserRefused } from './users.ts';
import { signature } from './wire.ts';

/** A target of an execution on a request: its answer is waited for before the request is carried out. */
export interface RequestTarget {
  /** As in /zitadel.session.v2.SessionService/SetSession. */
  readonly method: string;
  readonly url: string;
  readonly signingKey: string;
  /** Whether the request fails where the target does. */
  readonly interruptOnError: boolean;
}

const TIMEOUT_MS = 10_000;

/** Calls the targets of a method, one after another. */
export async function callTargets(
  targets: readonly RequestTarget[],
  fullMethod: string,
  request: object,
  { instanceId, now }: { readonly instanceId: string; readonly now: number },
): Promise<void> {
  for (const { method, url, signingKey, interruptOnError } of targets) {
    if (method !== fullMethod) continue;
    const body = JSON.stringify({ fullMethod, instanceID: instanceId, request, headers: {} });
    const headers = {
      'content-type': 'application/json',
      'zitadel-signature': signature(body, signingKey, now),
    };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(url, { method: 'POST', headers, body, signal }).catch(() => undefined);
    await answer?.body?.cancel();
    if (interruptOnError && answer?.ok !== true)
      throw new UserRefused(400, 'Errors.Execution.Failed', 'EXEC-dra6yamk98');
  }
}
