import { Option, type Command } from 'commander';
import { withExamples } from './help.ts';
import { DRY_RUN, JSON_OPTION, uuid, wholeNumber } from './input.ts';
import type { DossierCommand } from './users/dossier.ts';
import type { ExportCommand } from './users/export.ts';
import type { ForgetCommand } from './users/forget.ts';
import type { ExcludeCommand, MarkCommand } from './users/mark.ts';
import type { ProvisionCommand } from './users/provision.ts';
import type { ReconcileCommand } from './users/reconcile.ts';
import type { RollbackCommand } from './users/rollback.ts';
import type { RunsCommand } from './users/runs.ts';
import type { ShowCommand } from './users/show.ts';

const TENANT = ['--tenant <slug>', 'only of this tenant, by slug or id'] as const;
const CONCURRENCY = [
  '--concurrency <n>',
  'calls to the provider at a time (default: as many as it gains from)',
  wholeNumber(1, 64),
] as const;

export function registerUsers(program: Command): void {
  const users = withExamples(
    program.command('users').description('Carry users to the identity provider, and see where they stand.'),
    [
      ['sallyport users provision --dry-run', 'who would get an account, and who is left out'],
      ['sallyport users provision --tenant acme', 'accounts for one tenant'],
      ['sallyport users show alice@example.org', 'one person, through both doors'],
    ],
  );
  registerExport(users);
  registerProvision(users);
  registerRuns(users);
  registerReconcile(users);
  registerRollback(users);
  registerShow(users);
  registerMarks(users);
  registerPrivacy(users);
}

function registerExport(users: Command): void {
  withExamples(
    users
      .command('export')
      .description('Write active users without an account at the provider. Never a hash of a password.')
      .argument('[file]', 'where to, readable by its owner alone (default: stdout)')
      .option(...TENANT)
      .addOption(
        new Option('--format <format>', 'one list, or one user a line')
          .choices(['json', 'jsonl'])
          .default('json'),
      )
      .option('--all', 'those with an account too')
      .action(async (file: string | undefined, options: ExportCommand) =>
        (await import('./users/export.ts')).runExport(file, options),
      ),
    [
      ['sallyport users export users.json', 'to look through, and to give to users provision'],
      ['sallyport users export --tenant acme --format jsonl | wc -l', 'how many are left'],
    ],
  );
}

function registerProvision(users: Command): void {
  withExamples(
    users
      .command('provision')
      .description(
        'Make an account at the provider for each user who has none, under the same id. Goes on after a crash; can be undone.',
      )
      .argument('[file]', 'only users of this export (default: everybody without an account)')
      .option(...TENANT)
      .option('--limit <n>', 'people to hand over, at most', wholeNumber(1, 999_999_999))
      .option(...DRY_RUN)
      .option(...CONCURRENCY)
      .option('--resume <run>', 'go on with a run that was cut off', runId)
      .option('--no-passwords', 'leave hashes of passwords here, where the provider would take them')
      .option('--json', 'print JSON lines; the counts are the last')
      .action(async (file: string | undefined, options: ProvisionCommand) =>
        (await import('./users/provision.ts')).runProvision(file, options),
      ),
    [
      ['sallyport users provision --dry-run', 'the plan: the run then does exactly this'],
      ['sallyport users provision --tenant acme --limit 10', 'ten people of one tenant first'],
      ['sallyport users provision --resume 4f6c…', 'after a crash, or when the provider was away'],
    ],
  );
}

function registerRuns(users: Command): void {
  withExamples(
    users
      .command('runs')
      .description(
        'List runs with state and counts, the newest first; of one run, everybody there is more to say of.',
      )
      .argument('[run]', 'id of a run', runId)
      .option('--limit <n>', 'at most', wholeNumber(1, 99_999), 20)
      .option(...JSON_OPTION)
      .action(async (run: string | undefined, options: RunsCommand) => {
        const { runOutcomes, runRuns } = await import('./users/runs.ts');
        await (run === undefined ? runRuns(options) : runOutcomes(run, options));
      }),
    [
      ['sallyport users runs', 'what was done, and what was cut off'],
      ['sallyport users runs 4f6c…', 'who was left out or failed, and why'],
    ],
  );
}

function registerReconcile(users: Command): void {
  withExamples(
    users
      .command('reconcile')
      .description('Compare database and provider; exit 1 while they differ.')
      .option(...TENANT)
      .option('--fix', 'mend what differs: the database wins, and nobody is deleted')
      .option('--dry-run', 'with --fix: print what would be mended, change nothing')
      .option(...CONCURRENCY)
      .option('--json', 'print JSON lines; the counts are the last')
      .action(async (options: ReconcileCommand) =>
        (await import('./users/reconcile.ts')).runReconcile(options),
      ),
    [
      ['sallyport users reconcile', 'who is missing, orphaned, or has other mail, name, groups or state'],
      ['sallyport users reconcile --fix --tenant acme', 'mend one tenant'],
    ],
  );
}

function registerRollback(users: Command): void {
  withExamples(
    users
      .command('rollback')
      .description('Remove exactly what one run made, except who has signed in at the provider since.')
      .argument('<run>', 'id that users provision printed', runId)
      .option(...DRY_RUN)
      .option(...CONCURRENCY)
      .option(...JSON_OPTION)
      .action(async (run: string, options: RollbackCommand) =>
        (await import('./users/rollback.ts')).runRollback(run, options),
      ),
    [
      ['sallyport users rollback 4f6c… --dry-run', 'how many would go, and who is kept'],
      ['sallyport users rollback 4f6c…', 'the line that users provision printed'],
    ],
  );
}

const WHO = ['<id-or-mail>', 'id or address of the user'] as const;

function registerShow(users: Command): void {
  withExamples(
    users
      .command('show')
      .description(
        'Show one person through both doors: row, account, sessions, last events, and why a sign-in fails now.',
      )
      .argument(...WHO)
      .option(...TENANT)
      .option(...JSON_OPTION)
      .action(async (who: string, options: ShowCommand) =>
        (await import('./users/show.ts')).runShow(who, options),
      ),
    [
      ['sallyport users show alice@example.org', 'everything there is of one person'],
      [
        'sallyport users show alice@example.org --tenant acme --json',
        'where the address is in several tenants',
      ],
    ],
  );
}

function registerMarks(users: Command): void {
  withExamples(
    users
      .command('exclude')
      .description('Settle a user without an account: no provisioning, no invitation, counted as excluded.')
      .argument(...WHO)
      .requiredOption('--reason <text>', 'why')
      .option(...TENANT)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (who: string, options: ExcludeCommand) =>
        (await import('./users/mark.ts')).runExclude(who, options),
      ),
    [
      [
        'sallyport users exclude bob@example.org --reason "left the company"',
        'an end state that the figures show',
      ],
    ],
  );
  withExamples(
    users
      .command('include')
      .description('Take an exclusion back.')
      .argument(...WHO)
      .option(...TENANT)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (who: string, options: MarkCommand) =>
        (await import('./users/mark.ts')).runInclude(who, options),
      ),
    [['sallyport users include bob@example.org', 'the user takes part again']],
  );
}

function registerPrivacy(users: Command): void {
  withExamples(
    users
      .command('dossier')
      .description('Print everything that is held of one person, as JSON. No hashes, no secrets.')
      .argument(...WHO)
      .option(...TENANT)
      .action(async (who: string, options: DossierCommand) =>
        (await import('./users/dossier.ts')).runDossier(who, options),
      ),
    [
      [
        'sallyport users dossier alice@example.org > alice.json',
        'for a person who asks what is held of them',
      ],
    ],
  );
  withExamples(
    users
      .command('forget')
      .description(
        'Erase one person: account at the provider, row, sessions, mails, invitations. Cannot be undone.',
      )
      .argument(...WHO)
      .option(...TENANT)
      .option('--yes', 'do it')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (who: string, options: ForgetCommand) =>
        (await import('./users/forget.ts')).runForget(who, options),
      ),
    [
      ['sallyport users forget alice@example.org --dry-run', 'what would be erased, with counts'],
      ['sallyport users forget 4f6c… --yes', 'do it; again, if the provider was away'],
    ],
  );
}

const runId = uuid('the id of a run, as users provision printed it');
