import type { Command } from 'commander';

/** Examples below a command's help: what to type, and what it does. */
export function withExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, effect]) => `  $ ${line.padEnd(width)}  ${effect}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
