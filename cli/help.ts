import type { Command } from 'commander';
import { closest } from '../shared/nearest.ts';
import { UsageError } from './failure.ts';

/** Appends examples to a command's help: pairs of command line and effect. */
export function withExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, effect]) => `  $ ${line.padEnd(width)}  ${effect}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** `help a b` of a group at any depth; Commander's own resolves one word. */
export function registerHelp(group: Command): void {
  for (const each of group.commands) if (each.commands.length > 0) registerHelp(each);
  const [first] = group.commands;
  if (first === undefined) return;
  withExamples(
    group
      .helpCommand(false)
      .command('help')
      .description('Show the help of a command.')
      .argument('[command...]', 'its name, with the groups it is in')
      .action((names: readonly string[]) => find(group, names).help()),
    [[`${pathOf(group)} help ${first.name()}`, `as \`${pathOf(first)} --help\``]],
  );
}

/** `sallyport fga tuples` */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Commands anywhere in the tree that end in this word, or nearly: its group may have been omitted. */
export function elsewhere(root: Command, word: string): readonly string[] {
  const found = root.commands.flatMap((each) => [
    ...(each.name() !== 'help' && closest(word, [each.name()]) !== undefined ? [pathOf(each)] : []),
    ...elsewhere(each, word),
  ]);
  return found.slice(0, 3);
}

function find(group: Command, [name, ...rest]: readonly string[]): Command {
  if (name === undefined) return group;
  const next = group.commands.find((each) => each.name() === name);
  if (next !== undefined) return find(next, rest);
  const near = closest(
    name,
    group.commands.map((each) => each.name()),
  );
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  throw new UsageError(`${pathOf(group)} has no command ${name}${hint}`);
}
