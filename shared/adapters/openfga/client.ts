import { CredentialsMethod, FgaApiError, FgaApiValidationError, FgaError, OpenFgaClient } from '@openfga/sdk';
import type { OpenFgaConfig } from '../../configuration/stores.ts';
import { InputRefused, RelationsRefused, RelationsUnavailable } from '../../errors.ts';
import type { Exchange } from '../../ports/runtime.ts';
import { noAnswerOf, transport } from './transport.ts';

/** Milliseconds for one exchange, its answer read to the end. */
const EXCHANGE_MS = 3_000;
/** Only a call that fails within this time is retried once, so that it is over after some 3.4 s in all. */
const QUICKLY_MS = 250;
const PAUSE_MS = 50;

/**
 * The SDK's HTTP is injected: its own is axios, whose time-out restarts with every byte. Its retry sleeps for Retry-After
 * unbounded, so retries are ours too.
 */
export function openFgaClient(config: OpenFgaConfig, exchange: Exchange): OpenFgaClient {
  return new OpenFgaClient(
    {
      apiUrl: config.url,
      storeId: config.storeId,
      ...(config.modelId !== null && { authorizationModelId: config.modelId }),
      ...(config.apiToken !== null && {
        credentials: { method: CredentialsMethod.ApiToken, config: { token: config.apiToken } },
      }),
      retryParams: { maxRetry: 0 },
    },
    transport(exchange, EXCHANGE_MS),
  );
}

/**
 * Bounded in time, including one quick retry: a client waits for most of these calls, so then a clear 503.
 * Messages of the SDK's errors quote the server's: only kinds and codes are passed on. The server's reason for a refusal names
 * tuples, so it is the cause: for the sender, never in a log.
 */
export async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await twice(call);
  } catch (error) {
    throw new (kindOf(error))(describe(error), { cause: refusalOf(error) });
  }
}

function kindOf(error: unknown): typeof RelationsUnavailable {
  if (isOfInput(error)) return InputRefused;
  return isRefusal(error) ? RelationsRefused : RelationsUnavailable;
}

/** 422 and 429 throttle. A status without an OpenFGA code is not OpenFGA's: a proxy answers 404 while a server moves. */
const REFUSALS: readonly unknown[] = [400, 401, 403, 404];

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !('statusCode' in error && 'apiErrorCode' in error)) return false;
  return REFUSALS.includes(error.statusCode) && typeof error.apiErrorCode === 'string';
}

async function twice<T>(call: () => Promise<T>): Promise<T> {
  const quick = AbortSignal.timeout(QUICKLY_MS);
  try {
    return await call();
  } catch (error) {
    if (!mayPass(error) || quick.aborted) throw error;
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  return call();
}

/** A failed connection, or a server fault without Retry-After, which is never waited for here. */
function mayPass(error: unknown): boolean {
  if (error instanceof FgaApiError) {
    const { statusCode = 0, responseHeader } = error;
    return (statusCode === 429 || statusCode >= 500) && retryAfterOf(responseHeader) === undefined;
  }
  return error instanceof FgaError && error.name === 'FgaError';
}

function retryAfterOf(headers: unknown): unknown {
  return typeof headers === 'object' && headers !== null && 'retry-after' in headers
    ? headers['retry-after']
    : undefined;
}

/** Refusals of the configuration, not of the input: they end once it is corrected. */
const OF_CONFIGURATION: readonly string[] = [
  'authorization_model_not_found',
  'latest_authorization_model_not_found',
];

function isOfInput(error: unknown): boolean {
  if (!(error instanceof FgaApiValidationError)) return isConditionConflict(error);
  return error.statusCode === 400 && !OF_CONFIGURATION.includes(error.apiErrorCode);
}

/** The other reason for a 409 is a race of two writers, which a retry resolves. */
function isConditionConflict(error: unknown): boolean {
  return (
    error instanceof FgaApiError &&
    error.statusCode === 409 &&
    JSON.stringify(error.responseData ?? '').includes('already exists with a different condition')
  );
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'OpenFGA failed';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? ` ${error.statusCode}` : '';
  const code =
    'apiErrorCode' in error && typeof error.apiErrorCode === 'string' ? ` ${error.apiErrorCode}` : '';
  const conflict = isConditionConflict(error) ? ': a tuple is there under another condition' : '';
  return `OpenFGA failed: ${error.name}${status}${code}${noAnswerOf(error)}${conflict}`;
}

function refusalOf(error: unknown): Error | undefined {
  if (!(error instanceof FgaApiValidationError)) return undefined;
  const { apiErrorMessage } = error;
  return apiErrorMessage === undefined ? undefined : new Error(apiErrorMessage);
}
