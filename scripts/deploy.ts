import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { deploy, type Run } from './deploy/steps.ts';

/** npm run deploy -- [--dry-run] [--first] [--allow-widening]: the Worker and the features its rules ask for. */
const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
    'allow-widening': { type: 'boolean', default: false },
  },
});

/** Ignored by git; kept, so that a failed deployment can be looked into. */
const FOLDER = '.wrangler/deploy';

const run: Run = async ([program = '', ...args], { capture }) => {
  const child = spawn(program, args, { stdio: ['inherit', capture ? 'pipe' : 'inherit', 'inherit'] });
  const [output] = await Promise.all([child.stdout === null ? '' : text(child.stdout), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`${[program, ...args].join(' ')} failed`);
  return output;
};

try {
  await deploy(
    { dryRun: values['dry-run'], first: values.first, allowWidening: values['allow-widening'] },
    {
      run,
      keepPrevious: async (rules) => {
        await mkdir(FOLDER, { recursive: true });
        const file = `${FOLDER}/access_rules_prev.json`;
        await writeFile(file, rules);
        return file;
      },
      say: (line) => {
        console.error(line);
      },
    },
  );
} catch (error) {
  console.error(`deploy stopped: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
