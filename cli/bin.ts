import { main } from './main.ts';

const code = await main(process.argv);
// A command may have set its own; and stdout may still be draining into a pipe, so no process.exit().
if (code !== 0) process.exitCode = code;
