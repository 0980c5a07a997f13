import { run } from './tour/run.ts';
import { startWrangler } from './wrangler.ts';

process.exitCode = await run(
  { command: 'npm run dev', runtime: 'workerd', start: startWrangler },
  process.argv.slice(2),
);
