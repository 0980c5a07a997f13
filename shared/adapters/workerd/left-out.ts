/**
 * Stands in the Worker's bundle for packages that others import and nothing here reaches (`alias` in wrangler.toml); whoever
 * reached one after all would get a TypeError:
 * `@opentelemetry/api`, for meters of the OpenFGA SDK that nothing reads there; `axios`, in whose place ../openfga/transport.ts
 * is handed to it; `tdigest`, for prom-client's summaries.
 */
const nothing = (): void => undefined;
const meter = {
  createCounter: () => ({ add: nothing }),
  createHistogram: () => ({ record: nothing }),
};

export const metrics = { getMeter: () => meter };
