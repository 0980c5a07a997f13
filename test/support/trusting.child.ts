/** A Worker in a process of its own, because what workerd trusts is read once per process (NODE_EXTRA_CA_CERTS). */
import { unstable_startWorker } from 'wrangler';

const [entry = '', variables = '{}'] = process.argv.slice(2);
const bindings = Object.fromEntries(
  Object.entries(JSON.parse(variables) as Record<string, string>).map(([name, value]) => [
    name,
    { type: 'plain_text' as const, value },
  ]),
);
const worker = await unstable_startWorker({
  name: 'sallyport-trusting',
  entrypoint: entry,
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
const { href } = await worker.url;
process.on('message', () => {
  void worker.dispose().finally(() => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
process.send?.(href);
