import { startServer } from '../functions/node/process.ts';
import { run } from './tour/run.ts';

process.exitCode = await run(
  { command: 'npm run demo', runtime: `Node ${process.versions.node}`, start: startServer },
  process.argv.slice(2),
);
