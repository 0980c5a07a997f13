import { ProviderUnavailable } from '../errors.ts';
import { boundedText } from '../runtime.ts';
import type { Fetch } from '../ports/runtime.ts';
import { isTlsStatus, tlsFaultOf } from '../system-errors.ts';

const TIMEOUT_MS = 3_000;
const MAX_BYTES = 256 * 1024;

export interface FetchJsonOptions {
  readonly init?: RequestInit;
  /** Milliseconds for the whole exchange; 3 s by default. */
  readonly timeoutMs?: number | undefined;
  /** Replaces `timeoutMs` where several exchanges share one bound. */
  readonly bound?: AbortSignal;
  /** The error that a status means, where it says something of the request and not of the provider. */
  readonly refused?: (status: number) => Error | undefined;
  /** 256 KiB by default. */
  readonly maxBytes?: number;
}

/**
 * Fetches JSON from an identity provider: status 200 only, no redirects, bounded in time and size.
 * Rejects with `ProviderUnavailable`, whose message names the URL and the fault, never the content.
 */
export async function fetchJson(fetch: Fetch, url: string, options: FetchJsonOptions = {}): Promise<unknown> {
  const signal = options.bound ?? boundOf(options);
  let refused: Error | undefined;
  try {
    // `manual`, because Workers do not support `error`; any 3xx then fails by its status.
    const response = await fetch(url, { ...options.init, redirect: 'manual', signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      refused = options.refused?.(response.status);
      const fault = isTlsStatus(response.status) ? ', its certificate is not trusted' : '';
      throw new ProviderUnavailable(`${url}: status ${response.status}${fault}`);
    }
    return JSON.parse(await boundedText(response, options.maxBytes ?? MAX_BYTES));
  } catch (cause) {
    if (refused !== undefined) throw refused;
    if (cause instanceof ProviderUnavailable) throw cause;
    throw new ProviderUnavailable(`${url}: ${describe(cause, signal)}`, { cause });
  }
}

/** Made where the wait begins, so that two exchanges in turn take no longer than one. */
export function boundOf({ timeoutMs = TIMEOUT_MS }: Pick<FetchJsonOptions, 'timeoutMs'>): AbortSignal {
  return AbortSignal.timeout(timeoutMs);
}

/** Drops null members, which OpenID providers send for absent ones; not recursive. */
export function withoutNulls(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  return Object.fromEntries(Object.entries(json).filter(([, member]) => member !== null));
}

function describe(cause: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer in time';
  if (cause instanceof SyntaxError) return 'not JSON';
  if (cause instanceof RangeError) return cause.message;
  return tlsFaultOf(cause) ?? 'unreachable';
}
