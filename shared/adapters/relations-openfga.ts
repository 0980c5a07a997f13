import { ConsistencyPreference, CredentialsMethod, OpenFgaClient } from '@openfga/sdk';
import type { OpenFgaConfig } from '../config.ts';
import { RelationsUnavailable } from '../errors.ts';
import type { Relations } from '../ports.ts';

const TIMEOUT_MS = 3_000;

/** OpenFGA over HTTP by its own SDK; works on Node and inside workerd. */
export function openFgaRelations(config: OpenFgaConfig): Relations {
  const client = new OpenFgaClient({
    apiUrl: config.url,
    storeId: config.storeId,
    ...(config.modelId !== null && { authorizationModelId: config.modelId }),
    ...(config.apiToken !== null && {
      credentials: { method: CredentialsMethod.ApiToken, config: { token: config.apiToken } },
    }),
    // A person waits behind this request: one quick second try, then a clear 503.
    retryParams: { maxRetry: 1, minWaitInMs: 50 },
    baseOptions: { timeout: TIMEOUT_MS },
  });
  return {
    async check(query) {
      const consistency =
        query.consistency === 'fresh'
          ? ConsistencyPreference.HigherConsistency
          : ConsistencyPreference.MinimizeLatency;
      const { user, relation, object, context } = query;
      const answer = await guarded(
        client.check({ user, relation, object, ...(context && { context }) }, { consistency }),
      );
      if (typeof answer.allowed !== 'boolean')
        throw new RelationsUnavailable('OpenFGA answered without a verdict');
      return answer.allowed;
    },
    async ping() {
      await guarded(client.getStore());
    },
  };
}

/** The SDK's errors carry request headers (the API token among them): only kind and message-free facts go on. */
async function guarded<T>(call: Promise<T>): Promise<T> {
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
