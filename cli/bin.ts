import { main } from './main.ts';

const code = await main(process.argv);
// A command may have set its own exit code, and stdout may still be draining into a pipe: no process.exit().
if (code !== 0) process.exitCode = code;
