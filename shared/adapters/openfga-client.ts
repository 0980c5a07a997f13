import { CredentialsMethod, OpenFgaClient } from '@openfga/sdk';
import type { OpenFgaConfig } from '../config.ts';
import { RelationsUnavailable } from '../errors.ts';

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

/** The SDK's errors carry request headers (the API token among them): only kind and message-free facts go on. */
export async function guarded<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new RelationsUnavailable(describe(error));
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'OpenFGA failed';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? ` ${error.statusCode}` : '';
  const code =
    'apiErrorCode' in error && typeof error.apiErrorCode === 'string' ? ` ${error.apiErrorCode}` : '';
  return `OpenFGA failed: ${error.name}${status}${code}`;
}
