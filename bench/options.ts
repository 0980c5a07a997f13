import { Argument, Command, InvalidArgumentError } from 'commander';
import * as z from 'zod';

/** What is measured, in this order. `lifecycle`, `crossing`, `mail`, `figures` and `operations` run only where they are named: they start servers and take minutes. */
export const PARTS = {
  node: 'one Node process : HAProxy and Envoy on one thread, the bare Node proxy',
  workers: 'WORKERS=2 : HAProxy and Envoy on two threads',
  redis: 'Redis counters : memory counters',
  workerd: 'the Worker : a bare Worker, both in workerd',
  rules: '10,000 rules : ten, of a request and of the matcher alone',
  latency: 'p99 at a constant 1,000 requests/s : the bare Node proxy',
  allocation: 'bytes that a request allocates',
  memory: 'resident memory under full load',
  size: 'the Worker bundle, first answers, a relation check that is not remembered',
  lifecycle: 'what keeping tuples right costs',
  crossing:
    'what sign-in costs the gateway, what a callback asks, and what provisioning costs beside bare calls',
  mail: "the job `mail-send` : nodemailer's own pool; its memory",
  figures: 'figures of the move : the queries that they equal; a refresh : one of a tenth of the users',
  operations:
    'import, verification, names and set-up of a Zitadel : the programs and calls they cannot do without',
} as const;

export type Part = keyof typeof PARTS;

const NAMES = Object.keys(PARTS) as Part[];
/** Each in a run of its own. */
export const APART: readonly Part[] = ['lifecycle', 'crossing', 'mail', 'figures', 'operations'];
const QUICK = { seconds: 2, rounds: 3, mails: 2_000, users: 100_000 };
const FULL = { seconds: 5, rounds: 3, mails: 10_000, users: 1_000_000 };

const Options = z.object({
  parts: z.array(z.enum(NAMES)),
  quick: z.boolean().default(false),
  beside: z.string().optional(),
  seconds: z.number(),
  rounds: z.number(),
  minutes: z.number(),
  tuples: z.number(),
  people: z.number(),
  mails: z.number(),
  users: z.number(),
  paced: z.boolean().default(false),
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
    .addArgument(new Argument('[parts...]', `what to measure; all but ${APART.join(', ')}`).choices(NAMES))
    .option('--quick', `both sides of each target alone: ${QUICK.rounds} rounds of ${QUICK.seconds} s`)
    .option('--beside <checkout>', 'the product of another checkout, built there, takes its turns too')
    .option('--seconds <n>', 'length of one turn, whole seconds', whole)
    .option('--rounds <n>', 'how often each server has its turn; medians are taken', whole)
    .option('--minutes <n>', 'length of the memory run (5 for a full one)', positive, 0.4)
    .option(
      '--tuples <n>',
      'tuples of the feature that lifecycle renames (100000 for a full one)',
      whole,
      10_000,
    )
    .option('--people <n>', 'people that crossing provisions in a turn', whole, 2_000)
    .option('--mails <n>', 'mails that are sent in a turn (100000 for a full one; 2000 with --quick)', whole)
    .option(
      '--users <n>',
      'users that figures are kept of (10000000 for a full one; 100000 with --quick), and that operations finds in a Zitadel',
      whole,
    )
    .option('--paced', 'stand-ins of crossing take as long as real servers did')
    .option('--json', 'write bench/results/latest.json, or one named like the part')
    .option('--markdown', 'print the tables as docs/performance.md has them')
    .addHelpText(
      'after',
      `\nParts:\n${listed()}\n\nBefore and after a change, in under a minute:\n  npm run bench -- node --quick --beside ../main`,
    )
    .parse(argv, { from: 'user' });
  const given = command.opts<{ quick?: boolean }>();
  const defaults = given.quick === true ? QUICK : FULL;
  const parts = command.args.length === 0 ? NAMES.filter((name) => !APART.includes(name)) : command.args;
  return Options.parse({ ...defaults, ...given, parts });
}

function listed(): string {
  return NAMES.map((name) => `  ${name.padEnd(12)}${PARTS[name]}`).join('\n');
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
