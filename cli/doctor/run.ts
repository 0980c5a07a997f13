import {
  DEPLOYMENT,
  REGISTRY,
  CHECK_NAMES,
  isCheckName,
  type CheckName,
} from '../../shared/checks/registry.ts';
import { REQUESTS } from '../../shared/checks/requests.ts';
import { runChecks, type Check, type Result, type Status } from '../../shared/checks/check.ts';
import { Failure, UsageError } from '../failure.ts';
import { colors, environment, note, print, printJson } from '../terminal.ts';
import { CHECKS } from './checks.ts';
import { openDoctorGround } from './ground.ts';
import { redactor } from './secrets.ts';

export interface DoctorCommand {
  readonly only?: readonly string[];
  readonly for?: 'deployment' | 'requests';
  readonly json?: boolean;
}

/** For one check, whatever it waits for. */
const CHECK_MS = 20_000;

/** Prints every finding. Throws Failure with any red, UsageError for an unknown name. */
export async function runDoctor(options: DoctorCommand): Promise<void> {
  const results = await examine(chosen(options));
  endSoon();
  if (options.json === true) printJson(results);
  else report(results);
  if (results.some(({ status }) => status === 'red')) throw new Failure('');
}

/** What checks find, without a secret in it. */
export async function examine(names: readonly CheckName[], withinMs = CHECK_MS): Promise<readonly Result[]> {
  const ground = openDoctorGround();
  const checks = names.map((name): Check => ({ name, run: () => CHECKS[name](ground) }));
  const redact = redactor(environment);
  return (await runChecks(checks, withinMs)).map((result) => ({
    name: result.name,
    status: result.status,
    cause: redact(oneLine(result.cause)),
    next: redact(nextOf(result)),
  }));
}

const LINGER_MS = 1_000;

/** What a check has given up waiting for may hold a connection open: it does not hold the command. */
function endSoon(): void {
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function chosen({ only, for: purpose }: DoctorCommand): readonly CheckName[] {
  const unknown = (only ?? []).filter((name) => !isCheckName(name));
  if (unknown.length > 0)
    throw new UsageError(`there is no check ${unknown.join(', ')}: there are ${CHECK_NAMES.join(', ')}`);
  const wanted = new Set<string>(
    only ??
      (purpose === undefined ? CHECK_NAMES : purpose === 'deployment' ? DEPLOYMENT : Object.keys(REQUESTS)),
  );
  return CHECK_NAMES.filter((name) => wanted.has(name));
}

/** What is green needs no step; what else has none of its own gets that of the registry. */
function nextOf({ name, status, next }: Result): string {
  if (next !== '' || status === 'green' || status === 'skipped') return next;
  return isCheckName(name) ? REGISTRY[name].next : '';
}

/** Some errors of services have several lines, or characters that a terminal would obey. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 1_000);
}

const PAINT: Readonly<Record<Status, (text: string) => string>> = {
  green: colors.green,
  yellow: colors.yellow,
  red: colors.red,
  skipped: colors.dim,
};

function report(results: readonly Result[]): void {
  const width = Math.max(...results.map(({ name }) => name.length));
  for (const { name, status, cause, next } of results) {
    const step = next === '' ? '' : `${colors.dim(' -> ')}${next}`;
    print(`${PAINT[status](status.padEnd(7))} ${name.padEnd(width)} ${cause}${step}`);
  }
  const count = (of: Status): number => results.filter(({ status }) => status === of).length;
  // stdout has a line for each check, and no other.
  note(
    `${results.length} checks: ${count('green')} green, ${count('yellow')} yellow, ${count('red')} red, ${count('skipped')} skipped`,
  );
}
