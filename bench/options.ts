import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import * as z from 'zod';

export const SECTIONS = ['node', 'workerd', 'matcher', 'memory', 'size'] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Measured only when asked for: it needs real servers and minutes of its own. */
export const LIFECYCLE = 'lifecycle';

const Options = z.object({
  part: z.literal(LIFECYCLE).optional(),
  tuples: z.number(),
  only: z.enum(SECTIONS).optional(),
  seconds: z.number(),
  rounds: z.number(),
  minutes: z.number(),
  json: z.boolean().default(false),
  markdown: z.boolean().default(false),
});

export type Options = z.output<typeof Options>;

/** Exits by itself on --help and on arguments it does not know. */
export function parseOptions(argv: readonly string[]): Options {
  const command = new Command('npm run bench --')
    .description(
      'Measures the gateway beside what it is compared with, all on loopback, as ratios within one run.',
    )
    .addArgument(
      new Argument('[part]', 'instead of the gateway: what keeping tuples right costs').choices([LIFECYCLE]),
    )
    .addOption(new Option('--only <section>', 'measure one thing').choices([...SECTIONS]))
    .option('--seconds <n>', 'length of one measurement', positive, 3)
    .option('--rounds <n>', 'how often each server has its turn; medians are taken', positive, 5)
    .option('--minutes <n>', 'length of the memory run (5 for a full one)', positive, 0.4)
    .option(
      '--tuples <n>',
      'tuples of the feature that lifecycle renames (100000 for a full one)',
      whole,
      10_000,
    )
    .option('--json', 'write bench/results/latest.json, or lifecycle.json')
    .option('--markdown', 'print the tables as docs/performance.md has them')
    .parse(argv, { from: 'user' });
  return Options.parse({ ...command.opts(), part: command.args[0] });
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('write a number above 0');
  return value;
}

function whole(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('write a whole number');
  return value;
}
