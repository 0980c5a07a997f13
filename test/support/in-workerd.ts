import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { startLocalWorker, textBindings, type LocalWorker } from './local-worker.ts';

export interface InWorkerd {
  readonly fetch: LocalWorker['fetch'];
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
  const bindings = textBindings(variables);
  // Beside wrangler's own, which routes no triggers; none of these tests asks for a file.
  bindings['ASSETS'] = { type: 'fetcher', fetcher: () => new Response(null, { status: 404 }) };
  for (const [name, url] of Object.entries(hyperdrives)) {
    bindings[name] = { type: 'hyperdrive', id: name, localConnectionString: withPassword(url) };
  }
  const worker = await startLocalWorker('sallyport-test', fileURLToPath(entry), bindings);
  return {
    fetch: worker.fetch,
    async trigger(pattern, time) {
      const query = new URLSearchParams({ cron: pattern, time: String(time) }).toString();
      return (await worker.fetch(`http://cron.test/cdn-cgi/handler/scheduled?${query}`)).text();
    },
    close: () => worker.dispose(),
  };
}
