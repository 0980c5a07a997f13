import { postSigned, type Target } from './target.ts';
import { UserRefused } from './users.ts';

/** A target of an execution on a request: its answer is waited for before the request is carried out. */
export interface RequestTarget extends Target {
  /** As in /zitadel.session.v2.SessionService/SetSession. */
  readonly method: string;
  /** Whether the request fails where the target does. */
  readonly interruptOnError: boolean;
}

/** Calls the targets of a method, one after another. */
export async function callTargets(
  targets: readonly RequestTarget[],
  fullMethod: string,
  request: object,
  { instanceId, now }: { readonly instanceId: string; readonly now: number },
): Promise<void> {
  for (const target of targets) {
    if (target.method !== fullMethod) continue;
    const content = { fullMethod, instanceID: instanceId, request, headers: {} };
    const answer = await postSigned(content, target, now);
    if (target.interruptOnError && answer?.ok !== true)
      throw new UserRefused(400, 'Errors.Execution.Failed', 'EXEC-dra6yamk98');
  }
}
