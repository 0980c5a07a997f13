import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { workerSettings } from './deploy/check-worker.ts';
import { deploy, type Run } from './deploy/steps.ts';
import { messageOf } from '../shared/errors.ts';

interface Options {
  readonly dryRun: boolean;
  readonly first: boolean;
  readonly allowWidening: boolean;
}

const options = new Command('npm run deploy --')
  .description(
    'Carry features over to the new rules (expand), deploy the Worker, delete what the old rules left (contract).',
  )
  .option('--dry-run', 'say what would happen, change nothing', false)
  .option('--first', 'the first deployment: no rules serve yet', false)
  .option('--allow-widening', 'go on although users gain what they did not have', false)
  .addHelpText('after', '\nExamples:\n  npm run deploy -- --dry-run\n  npm run deploy -- --first\n')
  .parse()
  .opts<Options>();

/** Ignored by git; kept, so that a failed deployment can be inspected. */
const FOLDER = '.wrangler/deploy';

const run: Run = async ([program = '', ...args], { capture, variables = {} }) => {
  const env = { ...variables, ...process.env };
  const child = spawn(program, args, { env, stdio: ['inherit', capture ? 'pipe' : 'inherit', 'inherit'] });
  const [output] = await Promise.all([child.stdout === null ? '' : text(child.stdout), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`${[program, ...args].join(' ')} failed`);
  return output;
};

try {
  await deploy(options, {
    run,
    settings: workerSettings(),
    keepPrevious: async (rules) => {
      await mkdir(FOLDER, { recursive: true });
      const file = `${FOLDER}/access_rules_prev.json`;
      await writeFile(file, rules);
      return file;
    },
    say: (line) => {
      console.error(line);
    },
  });
} catch (error) {
  console.error(`deploy stopped: ${messageOf(error)}`);
  process.exitCode = 1;
}
