/** A Worker in a process of its own, because what workerd trusts is read once per process (NODE_EXTRA_CA_CERTS). */
import { startLocalWorker, textBindings } from './local-worker.ts';

const [entry = '', variables = '{}'] = process.argv.slice(2);
const bindings = textBindings(JSON.parse(variables) as Record<string, string>);
const worker = await startLocalWorker('sallyport-trusting', entry, bindings);
const { href } = await worker.url;
process.on('message', () => {
  void worker.dispose().finally(() => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
process.send?.(href);
