import { unstable_startWorker } from 'wrangler';

export type Bindings = NonNullable<Parameters<typeof unstable_startWorker>[0]['bindings']>;
export type LocalWorker = Awaited<ReturnType<typeof unstable_startWorker>>;

export function textBindings(variables: Readonly<Record<string, string>>): Bindings {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, { type: 'plain_text', value }]),
  );
}

/** A Worker in wrangler's local workerd, on a free port of loopback; ready. `entrypoint`: a path. */
export async function startLocalWorker(
  name: string,
  entrypoint: string,
  bindings: Bindings,
): Promise<LocalWorker> {
  const worker = await unstable_startWorker({
    ...{ name, entrypoint, bindings },
    config: '',
    build: { nodejsCompatMode: 'v2' },
    envFiles: [],
    sendMetrics: false,
    compatibilityDate: '2026-01-01',
    compatibilityFlags: ['nodejs_compat'],
    dev: { logLevel: 'none', server: { hostname: '127.0.0.1', port: 0 }, inspector: false, watch: false },
  });
  await worker.ready;
  return worker;
}
