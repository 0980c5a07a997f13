import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { unstable_startWorker } from 'wrangler';

type Bindings = NonNullable<Parameters<typeof unstable_startWorker>[0]['bindings']>;
type Started = Awaited<ReturnType<typeof unstable_startWorker>>;

export interface InWorkerd {
  readonly fetch: Started['fetch'];
  /** Calls scheduled() as a trigger would; answers `ok` when it did not reject. */
  trigger(pattern: string, time: number): Promise<string>;
  close(): Promise<void>;
}

export interface InWorkerdOptions {
  readonly variables: Readonly<Record<string, string>>;
  /** A Postgres that stands behind a Hyperdrive binding of this name. */
  readonly hyperdrives?: Readonly<Record<string, string>>;
}

/** wrangler takes no local Postgres without one; ours asks for none. */
function withPassword(url: string): string {
  return Object.assign(new URL(url), { password: 'none' }).href;
}

/** The product's own entry. */
export const ENTRY = new URL('../../functions/index.ts', import.meta.url);

/** A Worker in wrangler's local workerd, which has bindings and triggers. Nothing of it leaves this machine. */
export async function startInWorkerd(
  entry: URL,
  { variables, hyperdrives = {} }: InWorkerdOptions,
): Promise<InWorkerd> {
  vi.stubEnv('CLOUDFLARE_CF_FETCH_ENABLED', 'false');
  vi.stubEnv('WRANGLER_SEND_METRICS', 'false');
  const bindings: Bindings = {};
  for (const [name, value] of Object.entries(variables)) bindings[name] = { type: 'plain_text', value };
  for (const [name, url] of Object.entries(hyperdrives)) {
    bindings[name] = { type: 'hyperdrive', id: name, localConnectionString: withPassword(url) };
  }
  const worker = await unstable_startWorker({
    name: 'sallyport-test',
    entrypoint: fileURLToPath(entry),
    config: '',
    build: { nodejsCompatMode: 'v2' },
    envFiles: [],
    sendMetrics: false,
    compatibilityDate: '2026-01-01',
    compatibilityFlags: ['nodejs_compat'],
    bindings,
    dev: { logLevel: 'none', server: { hostname: '127.0.0.1', port: 0 }, inspector: false, watch: false },
  });
  await worker.ready;
  return {
    fetch: worker.fetch,
    async trigger(pattern, time) {
      const query = new URLSearchParams({ cron: pattern, time: String(time) }).toString();
      return (await worker.fetch(`http://cron.test/cdn-cgi/handler/scheduled?${query}`)).text();
    },
    close: () => worker.dispose(),
  };
}
