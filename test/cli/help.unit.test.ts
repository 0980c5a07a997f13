import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { program } from '../../cli/main.ts';

interface Named {
  readonly name: string;
  readonly command: Command;
}

function withBelow(command: Command, above = ''): Named[] {
  const name = `${above}${command.name()}`;
  return [{ name, command }, ...command.commands.flatMap((each) => withBelow(each, `${name} `))];
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return help;
}

const ALL = withBelow(await program());

/** What an example of it types: itself, or what is below it. */
function examplesOf({ name, command }: Named): string[] {
  const [, examples = ''] = helpOf(command).split('\nExamples:\n');
  return examples.split('\n').filter((line) => line.startsWith('  $ ') && line.includes(name));
}

describe('--help', () => {
  it('knows groups within groups', () => {
    expect(ALL.map(({ name }) => name)).toContain('sallyport fga tuples export');
  });

  it.each(ALL)('of $name has an example of it', (named) => {
    expect(examplesOf(named)).not.toEqual([]);
  });
});
