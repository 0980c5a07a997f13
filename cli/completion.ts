import { Argument, type Command, type Option } from 'commander';
import {
  bashScript,
  fishScript,
  zshScript,
  type CompletedCommand,
  type CompletedOption,
  type Values,
} from './completion/scripts.ts';
import { UsageError } from './failure.ts';
import { withExamples } from './help.ts';
import { print } from './terminal.ts';

const SCRIPTS: Readonly<Record<string, (tree: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function registerCompletion(program: Command): void {
  withExamples(
    program
      .command('completion')
      .description('Print a completion script for a shell: groups, verbs, options and file names.')
      .addArgument(shellArgument())
      .action((shell: string) => {
        const script = SCRIPTS[shell];
        if (script === undefined)
          throw new UsageError(`there is no completion for ${shell}: write bash, zsh or fish`);
        print(script(completedTree(program)));
      }),
    [
      ['eval "$(sallyport completion bash)"', 'in ~/.bashrc'],
      ['eval "$(sallyport completion zsh)"', 'in ~/.zshrc, after compinit'],
      ['sallyport completion fish | source', 'in ~/.config/fish/config.fish'],
    ],
  );
}

/** Choices for help and completion only: the command itself refuses others, with its own message. */
function shellArgument(): Argument {
  const argument = new Argument('<shell>', 'bash, zsh or fish');
  argument.argChoices = Object.keys(SCRIPTS);
  return argument;
}

/** The tree, the program itself first. */
export function completedTree(program: Command): readonly CompletedCommand[] {
  const everywhere = program.options.filter(({ long }) => long === '--env-file');
  const walk = (command: Command, path: string): CompletedCommand[] => {
    const options = command === program ? command.options : [...command.options, ...everywhere];
    const below = command.commands.filter((each) => command === program || each.name() !== 'help');
    return [
      {
        path,
        commands: below.map((each) => ({ name: each.name(), description: each.description() })),
        options: [...options.map(completedOption), HELP],
        args:
          path === 'help'
            ? [program.commands.map((each) => each.name())]
            : command.registeredArguments.map((argument) => valuesOf(argument.name(), argument.argChoices)),
      },
      ...below.flatMap((each) => walk(each, path === '' ? each.name() : `${path} ${each.name()}`)),
    ];
  };
  return walk(program, '');
}

const HELP: CompletedOption = { names: ['--help', '-h'], description: 'display help', value: undefined };

function completedOption({ long, short, flags, description, argChoices }: Option): CompletedOption {
  const names = [long, short].filter((name) => typeof name === 'string');
  const [, taken] = /[<[]([\w-]+)[>\]]/.exec(flags) ?? [];
  return { names, description, value: taken === undefined ? undefined : valuesOf(taken, argChoices) };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** By the name in the help: `<file>` completes to files. */
function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return choices;
  if (name === 'file') return 'files';
  return name === 'method' ? METHODS : 'any';
}
