/**
 * Replaces packages in the Worker's bundle that others import and nothing here reaches (`alias` in wrangler.toml); a call
 * into one would throw a TypeError:
 * `@opentelemetry/api`, for meters of the OpenFGA SDK that are never read there; `axios`, replaced by
 * ../openfga/client.ts; `tdigest`, for prom-client's summaries.
 */
const nothing = (): void => undefined;
const meter = {
  createCounter: () => ({ add: nothing }),
  createHistogram: () => ({ record: nothing }),
};

export const metrics = { getMeter: () => meter };
