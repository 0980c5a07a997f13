import { InvalidArgumentError, type Command } from 'commander';
import type { BootstrapCommand } from './fga/commands.ts';
import type { ExportCommand, ImportCommand } from './fga/commands.ts';
import { withExamples } from './help.ts';

export function registerFga(program: Command): void {
  const fga = withExamples(
    program.command('fga').description('The OpenFGA store behind OPENFGA_URL: its model and its tuples.'),
    [
      ['sallyport fga bootstrap', 'a store with the model of config/model.fga'],
      ['sallyport fga tuples export backup.jsonl', 'every tuple, one a line'],
    ],
  );
  registerBootstrap(fga);
  const tuples = withExamples(fga.command('tuples').description('Back tuples up and bring them back.'), [
    ['sallyport fga tuples export backup.jsonl', 'every tuple, one a line'],
    ['sallyport fga tuples import backup.jsonl', 'bring them back'],
  ]);
  registerExport(tuples);
  registerImport(tuples);
}

function registerBootstrap(fga: Command): void {
  withExamples(
    fga
      .command('bootstrap')
      .description('Make the store and write the model where they are missing; print their ids as variables.')
      .option(
        '--store-name <name>',
        'store to find or to make when OPENFGA_STORE_ID is not set',
        storeName,
        'sallyport',
      )
      .option('--model <file>', 'model in OpenFGA’s language', 'config/model.fga')
      .option('--check', 'change nothing; exit 1 when store or model differ')
      .option('--dry-run', 'change nothing; print what would be done')
      .option('--json', 'print the result as JSON')
      .action(async (options: BootstrapCommand) => (await import('./fga/commands.ts')).runBootstrap(options)),
    [
      ['sallyport fga bootstrap >> .env', 'keep the ids as variables'],
      ['sallyport fga bootstrap --check', 'in a deployment: whether the model is the one of the file'],
    ],
  );
}

function registerExport(tuples: Command): void {
  withExamples(
    tuples
      .command('export')
      .description('Write every tuple as JSON lines.')
      .argument('[file]', 'where to (default: stdout)')
      .option('--resume', 'go on with a cut-off export of this file')
      .option('--json', 'print the result as JSON, when a file is named')
      .action(async (file: string | undefined, options: ExportCommand) =>
        (await import('./fga/commands.ts')).runExport(file, options),
      ),
    [
      ['sallyport fga tuples export backup.jsonl', 'the file appears when it is whole'],
      ['sallyport fga tuples export | gzip > backup.jsonl.gz', 'through a pipe'],
    ],
  );
}

function registerImport(tuples: Command): void {
  withExamples(
    tuples
      .command('import')
      .description('Write the tuples of JSON lines; those that are there stay as they are.')
      .argument('<file>', 'what export wrote (- is stdin)')
      .option('--resume', 'go on where a cut-off import of this file stopped')
      .option('--dry-run', 'check every line, write nothing')
      .option('--json', 'print the result as JSON')
      .action(async (file: string, options: ImportCommand) =>
        (await import('./fga/commands.ts')).runImport(file, options),
      ),
    [
      ['sallyport fga tuples import backup.jsonl --dry-run', 'whether every line can be read'],
      ['sallyport fga tuples import backup.jsonl', 'bring a backup back'],
    ],
  );
}

/** OpenFGA's rule for store names. */
function storeName(value: string): string {
  if (!/^[\w\s.\-/^&@]{3,64}$/.test(value))
    throw new InvalidArgumentError('Write 3 to 64 letters, digits, spaces or . - / ^ _ & @');
  return value;
}
