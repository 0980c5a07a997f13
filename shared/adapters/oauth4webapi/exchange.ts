import * as oauth from 'oauth4webapi';
import { ProviderUnavailable } from '../../errors.ts';
import { boundedText } from '../../runtime.ts';
import type { Fetch } from '../../ports/runtime.ts';
import type { Declined } from '../../ports/sign-in.ts';
import { isTlsStatus, tlsFaultOf } from '../../system-errors.ts';

/** A code is redeemed while its person waits; Kanidm's own bound on a lock is 5 s. */
const WITHIN_MS = 6_000;
const MAX_BYTES = 256 * 1024;
/** Of answers that the library reads by their status alone. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** Of a request of the library. */
interface Sent {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: URLSearchParams | null | undefined;
}

/** A fetch for the library, bounded in time and size; rejects with ProviderUnavailable for whatever is no answer to the request. */
export function boundedFetch(fetch: Fetch, timeoutMs = WITHIN_MS) {
  return async (url: string, { method, headers: fields, body }: Sent): Promise<Response> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = { method, headers: fields, redirect: 'manual', signal } as const;
    try {
      const response = await fetch(url, body == null ? sent : { ...sent, body: body.toString() });
      const { status, headers } = response;
      if (status >= 500 || status === 429) {
        await response.body?.cancel();
        throw new ProviderUnavailable(`${url}: status ${status}${tlsRemark(status)}`);
      }
      const text = await boundedText(response, MAX_BYTES);
      return new Response(WITHOUT_BODY.has(status) ? null : text, { status, headers });
    } catch (cause) {
      if (cause instanceof ProviderUnavailable) throw cause;
      throw new ProviderUnavailable(`${url}: ${faultOf(cause, signal)}`, { cause });
    }
  };
}

function tlsRemark(status: number): string {
  return isTlsStatus(status) ? ', its certificate is not trusted' : '';
}

function faultOf(cause: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer in time';
  if (cause instanceof RangeError) return cause.message;
  return tlsFaultOf(cause) ?? 'unreachable';
}

/** Errors of the client's own registration, or of the server's (RFC 6749 §4.1.2.1, §5.2): not of the person that signs in. */
const NOT_THE_PERSONS = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'server_error',
  'temporarily_unavailable',
  'slow_down',
]);

/** Answers that are not of the protocol at all. */
const NO_ANSWER = new Set([
  oauth.RESPONSE_IS_NOT_JSON,
  oauth.RESPONSE_IS_NOT_CONFORM,
  oauth.PARSE_ERROR,
  oauth.MISSING_SERVER_METADATA,
  oauth.INVALID_SERVER_METADATA,
  oauth.HTTP_REQUEST_FORBIDDEN,
  oauth.REQUEST_PROTOCOL_FORBIDDEN,
]);

/** What an error of the library means. Throws what is the provider's or the operator's. */
export function declinedBy(error: unknown): Declined {
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
    if (NOT_THE_PERSONS.has(error.error)) throw unavailable(error.error, error);
    // RFC 6749 §4.1.2.1: the resource owner denied the request.
    const cancelled = error instanceof oauth.AuthorizationResponseError && error.error === 'access_denied';
    return { outcome: 'declined', reason: `error ${nameOf(error.error)}`, cancelled };
  }
  // 401 of the token endpoint (RFC 6749 §5.2).
  if (error instanceof oauth.WWWAuthenticateChallengeError)
    throw unavailable('the client and its secret are not accepted', error);
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    if (NO_ANSWER.has(error.code ?? '')) throw unavailable(error.message, error);
    return { outcome: 'declined', reason: error.message };
  }
  throw error;
}

/** Its cause may hold tokens. */
function unavailable(reason: string, { message }: Error): ProviderUnavailable {
  return new ProviderUnavailable(`sign-in: ${reason}`, { cause: new Error(message) });
}

/** RFC 6749 §5.2 allows more, which has no place in a line of the log. */
function nameOf(error: string): string {
  return /^\w{1,64}$/.test(error) ? error : 'of another name';
}
