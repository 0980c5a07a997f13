import { CredentialsMethod, FgaApiValidationError, OpenFgaClient } from '@openfga/sdk';
import type { OpenFgaConfig } from '../config.ts';
import { RelationsRefused, RelationsUnavailable } from '../errors.ts';

const TIMEOUT_MS = 3_000;

/** OpenFGA over HTTP by its own SDK; works on Node and inside workerd. */
export function openFgaClient(config: OpenFgaConfig): OpenFgaClient {
  return new OpenFgaClient({
    apiUrl: config.url,
    storeId: config.storeId,
    ...(config.modelId !== null && { authorizationModelId: config.modelId }),
    ...(config.apiToken !== null && {
      credentials: { method: CredentialsMethod.ApiToken, config: { token: config.apiToken } },
    }),
    // A person waits behind most of these calls: one quick second try, then a clear 503.
    retryParams: { maxRetry: 1, minWaitInMs: 50 },
    baseOptions: { timeout: TIMEOUT_MS },
  });
}

/**
 * The SDK's errors carry request headers (the API token among them): only kind and message-free facts go on. Why the
 * server refused what was sent names tuples, so it is the cause: for whoever sent them, never in a log.
 */
export async function guarded<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const Kind = isRefusal(error) ? RelationsRefused : RelationsUnavailable;
    throw new Kind(describe(error), { cause: refusalOf(error) });
  }
}

/** 422 and 429 throttle. Without a code of its own it was no OpenFGA: a proxy in front answers 404 while a server moves. */
const REFUSALS: readonly unknown[] = [400, 401, 403, 404];

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !('statusCode' in error && 'apiErrorCode' in error)) return false;
  return REFUSALS.includes(error.statusCode) && typeof error.apiErrorCode === 'string';
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'OpenFGA failed';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? ` ${error.statusCode}` : '';
  const code =
    'apiErrorCode' in error && typeof error.apiErrorCode === 'string' ? ` ${error.apiErrorCode}` : '';
  return `OpenFGA failed: ${error.name}${status}${code}${networkFault(error)}`;
}

/** The SDK keeps the code of a connection that failed within its message alone. */
function networkFault({ name, message }: Error): string {
  const found = name === 'FgaError' ? /\bE[A-Z]{4,}\b|\btimeout\b/.exec(message) : null;
  return found === null ? '' : ` ${found[0]}`;
}

function refusalOf(error: unknown): Error | undefined {
  if (!(error instanceof FgaApiValidationError)) return undefined;
  const { apiErrorMessage } = error;
  return apiErrorMessage === undefined ? undefined : new Error(apiErrorMessage);
}
