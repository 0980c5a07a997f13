import { readFileSync } from 'node:fs';
import { VARIABLES } from '../functions/catalogue.ts';
import { readFolder } from '../shared/configuration/folder.ts';
import { misspelled, missingHint, type Fault } from '../shared/configuration/names.ts';
import { configure, slice, type Slice } from '../shared/configuration/slice.ts';
import { postgresUrl } from '../shared/configuration/values.ts';
import { Failure } from './failure.ts';
import { environment } from './terminal.ts';

/** For commands that cannot do without. */
export const DATABASE_URL = slice({
  variables: { DATABASE_URL: postgresUrl },
  read: (v) => ({ databaseUrl: v.DATABASE_URL }),
});

const WHERE = ' (environment, .env or --env-file)';

/** Variables of a slice are missing or malformed. */
export class Misconfigured extends Failure {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const lines = faults.map(({ variable, problem }) => `${variable} ${problem}`);
    super(lines.map((line) => (/^\S+ is missing/.test(line) ? line + WHERE : line)).join('\n'));
    this.faults = faults;
  }
}

/** What a slice comes to for one command; variables of other slices may be missing or malformed. Throws Misconfigured with every fault. */
export function configured<Part extends object>(slice: Slice<Part>): Part {
  const parsed = configure(slice, environment, 'node', VARIABLES);
  const files = {
    runtime: 'node',
    readText: (path: string) => readFileSync(path, 'utf8'),
    readFolder,
    parseModel: null,
  } as const;
  const faults = [...(parsed.ok ? [] : parsed.faults), ...parsed.texts(files)];
  if (parsed.ok && faults.length === 0) return parsed.config;
  throw new Misconfigured(faults);
}

/** `todo`: its purpose or the source of its value. */
export function missing(variable: string, todo = 'set it'): Failure {
  return new Failure(
    `${variable} is missing: ${todo}${missingHint(variable, environment, VARIABLES)}${WHERE}`,
  );
}

/** Names that are set and look like a slip of one of ours. */
export function slips(): readonly Fault[] {
  return misspelled(environment, VARIABLES);
}
