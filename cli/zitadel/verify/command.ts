import { OPERATIONS } from '../../../shared/configuration/operations.ts';
import { chosenInstance, type Instance } from '../database/instances.ts';
import { shownOf, withZitadelDatabase, type ZitadelDatabase } from '../database/open.ts';
import { colors, environment, note, print, printJson } from '../../terminal.ts';
import { configured } from '../../variables.ts';
import { compareWith } from './against/compare.ts';
import { databaseSide } from './against/database-side.ts';
import { dumpSide } from './against/dump-side.ts';
import type { Side } from './against/side.ts';
import type { Finding } from './findings.ts';
import { verifyDatabase, withFindings, type Verification } from './verification.ts';

export interface VerifyCommand {
  readonly against?: string;
  readonly database?: string;
  readonly instance?: string;
  readonly json?: boolean;
}

const DIFFERS = 1;
/** Of one statement: a pass over a large event store. */
const STATEMENT_TIMEOUT_MS = 30 * 60_000;

/** Prints what the database holds and what differs; exit code 1 where anything does. */
export async function runVerify(options: VerifyCommand): Promise<void> {
  const verification = await verified(options, (step) => {
    note(colors.dim(`checking ${step}`));
  });
  if (options.json === true) printJson(verification);
  else printVerification(verification);
  if (!verification.ok) process.exitCode = DIFFERS;
}

/** Verifies the database, and compares it where that is asked for. `onStep`: called before each step. */
export async function verified(
  { against, database, instance }: VerifyCommand,
  onStep: (step: string) => void = () => undefined,
): Promise<Verification> {
  const { externalDomain } = configured(OPERATIONS);
  return withZitadelDatabase({ database, statementTimeoutMs: STATEMENT_TIMEOUT_MS }, async (zitadel) => {
    const instances = chosenInstances(zitadel, instance);
    const stated = (environment['ZITADEL_EXTERNALDOMAIN'] ?? '') !== '';
    const alone = await verifyDatabase(zitadel, { instances, externalDomain, stated, onStep });
    if (against === undefined) return alone;
    onStep(`against ${isUrl(against) ? shownOf(against, '--against') : against}`);
    const ids = instances.map(({ id }) => id);
    const findings = await withOther(against, (there) => compareWith(zitadel, there, ids));
    return withFindings(alone, findings);
  });
}

function isUrl(against: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(against);
}

async function withOther<T>(against: string, work: (there: Side) => Promise<T>): Promise<T> {
  if (!isUrl(against)) return work(await dumpSide(against));
  const opening = { database: against, source: '--against', statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  return withZitadelDatabase(opening, async (other) => work(await databaseSide(other)));
}

function chosenInstances({ instances }: ZitadelDatabase, wanted: string | undefined): readonly Instance[] {
  return wanted === 'all' ? instances : [chosenInstance(instances, wanted)];
}

/** Of many; those that expire first. */
const SHOWN_PATS = 5;

function printVerification({
  database,
  instances,
  counts,
  pats,
  masterkey,
  differs,
  notes,
  ok,
  next,
}: Verification): void {
  print(database);
  for (const { id, name, domains, web_keys, login_v2 } of instances)
    print(
      `instance ${id} ${name}: domains ${domains.join(', ')}; ${web_keys.active} active web key; Login v2 ${login_v2.required ? `required${login_v2.base_uri === null ? '' : ` at ${login_v2.base_uri}`}` : 'not required'}`,
    );
  const width = Math.max(...Object.keys(counts).map((name) => name.length));
  for (const [name, count] of Object.entries(counts)) print(`  ${name.padEnd(width)} ${count}`);
  for (const { id, user_id, expiration } of pats.slice(0, SHOWN_PATS))
    print(`personal access token ${id} of user ${user_id}: until ${expiration.toISOString()}`);
  if (pats.length > SHOWN_PATS) print(`and ${pats.length - SHOWN_PATS} that expire later: --json lists them`);
  print(`masterkey: ${masterkey}`);
  for (const finding of notes) print(`${colors.yellow('note')} ${lineOf(finding)}`);
  if (ok) print(colors.green('nothing differs'));
  else printTable(differs);
  print(`next: ${next}`);
}

function lineOf({ check, what, expected, found, samples }: Finding): string {
  return `${check}: ${what}: expected ${expected}, found ${found}${samples.length === 0 ? '' : ` (${samples.join(', ')})`}`;
}

const HEAD = { check: 'check', what: 'what', expected: 'expected', found: 'found' } as const;
const COLUMNS = ['check', 'what', 'expected', 'found'] as const;

function printTable(differs: readonly Finding[]): void {
  const rows = [HEAD, ...differs];
  const widths = COLUMNS.map((column) => Math.max(...rows.map((row) => row[column].length)));
  print(colors.red(`${differs.length} ${differs.length === 1 ? 'thing differs' : 'things differ'}`));
  for (const row of rows) {
    print(
      COLUMNS.map((column, at) => row[column].padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    if ('samples' in row && row.samples.length > 0) print(colors.dim(`  such as ${row.samples.join(', ')}`));
  }
}
