/** `node on-terminal.mjs REPORT COMMAND ARGUMENT…`: leads a terminal's session, and writes how the command in it ended. */
import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';

const [report, file, ...args] = process.argv.slice(2);
const child = spawn(file, args, { stdio: 'inherit' });
// As shells do: the system signals the leader of the session alone.
process.on('SIGHUP', () => child.kill('SIGHUP'));
child.once('exit', (code, signal) => {
  writeFileSync(`${report}.part`, JSON.stringify([code, signal]));
  renameSync(`${report}.part`, report);
});
