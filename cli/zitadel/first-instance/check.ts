import { Failure } from '../../failure.ts';
import { colors, note, print, printJson } from '../../terminal.ts';
import { faultsOf } from './faults.ts';
import { NOBODY, outcomeOf, type Outcome } from './outcome.ts';
import { foundIn } from './read.ts';
import { Values, type Fault } from './settings.ts';

export interface CheckCommand {
  readonly json?: boolean;
}

export interface Checked {
  readonly outcome: Outcome;
  readonly faults: readonly Fault[];
  /** What was not looked at. */
  readonly notes: readonly string[];
}

/** What comes of a first start, and what is wrong. Throws Failure for a file without a setting of Zitadel. */
export async function checked(file: string, now: Date): Promise<Checked> {
  const { settings, faults: broken, notes, isZitadel = false, isBroken = false } = await foundIn(file);
  if (settings.length === 0 && broken.length === 0 && !isZitadel)
    throw new Failure(`${file} has no setting of Zitadel`);
  // Half of a file makes other names, and faults that are none.
  if (isBroken) return { outcome: NOBODY, faults: inOrder(broken, file), notes };
  const values = new Values(settings);
  const faults = inOrder([...broken, ...faultsOf(values, settings, now)], file);
  return { outcome: outcomeOf(values), faults, notes: [...notes, ...unseen(values)] };
}

/** Secrets that come from elsewhere. */
function unseen(values: Values): string[] {
  const secrets = [values.setting('MASTERKEY'), values.setting('FIRSTINSTANCE_ORG_HUMAN_PASSWORD')];
  return secrets.flatMap((setting) =>
    setting?.value === null
      ? [`${setting.file}:${setting.line} ${setting.written} comes from elsewhere, and was not checked`]
      : [],
  );
}

/** Prints what the first instance will be, and every fault. Throws Failure where there is one. */
export async function runCheck(file: string, { json }: CheckCommand): Promise<void> {
  const { outcome, faults, notes } = await checked(file, new Date());
  for (const each of notes) note(each);
  if (json === true) printJson({ ...outcome, faults });
  else printText(file, outcome, faults);
  if (faults.length === 0) {
    note('next: start Zitadel with it, then see what is missing there: sallyport zitadel setup --dry-run');
    return;
  }
  note('next: correct the faults and check again, before the first start: Zitadel reads these once');
  throw new Failure('');
}

function printText(file: string, outcome: Outcome, faults: readonly Fault[]): void {
  const { username, email, email_verified: verified, org_domain: domain, login_names: names } = outcome;
  const elsewhere = colors.dim(outcome === NOBODY ? 'not known' : 'comes from elsewhere');
  const state = verified === null ? '' : verified ? ' (verified)' : ' (not verified)';
  print(colors.bold(`first instance of ${file}`));
  print(`  username     ${username ?? elsewhere}`);
  print(`  e-mail       ${email === null ? elsewhere : email + state}`);
  print(`  organisation ${domain ?? elsewhere}`);
  print(`  login names  ${names.length === 0 ? elsewhere : names.join(', ')}`);
  for (const { file: where, line, message } of faults) print(`${colors.red(`${where}:${line}`)} ${message}`);
}

/** By place, those of the file that was named first, each once. */
function inOrder(faults: readonly Fault[], file: string): Fault[] {
  const unique = new Map(faults.map((fault) => [JSON.stringify(fault), fault]));
  const rank = (fault: Fault): string => `${fault.file === file ? 0 : 1} ${fault.file}`;
  return [...unique.values()].sort((a, b) =>
    rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : a.line - b.line,
  );
}
