import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { VARIABLES } from '../../../functions/catalogue.ts';
import { placedSettingsIn, UnreadableEnvFile } from '../../../shared/configuration/env-file.ts';
import { OPERATIONS } from '../../../shared/configuration/operations.ts';
import { Failure } from '../../failure.ts';
import { readText } from '../../input.ts';
import { environment } from '../../terminal.ts';
import { composeSettings, isCompose } from './compose.ts';
import { manifestSettings, variable, VARIABLE } from './manifest.ts';
import { judged } from './names.ts';
import { together, type Found } from './settings.ts';
import { substitute, type Lookup } from './substitute.ts';
import { treesOf } from './tree.ts';

const COMPOSE_NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

/** Settings of Zitadel in a compose file, a file of variables, values of the Helm chart or any YAML. Throws Failure. */
export async function foundIn(file: string): Promise<Found> {
  const text = (await readText(file)).replace(/^\uFEFF/, '');
  if (isOfVariables(file, text)) return variablesIn(file, text);
  const { trees, faults } = treesOf({ file, text });
  const lookup = lookupBeside(file);
  const parts = trees.map((tree) =>
    isCompose(tree) ? composeSettings(file, tree, lookup) : withoutOurs(manifestSettings(file, tree)),
  );
  const isBroken = faults.length > 0;
  return together([{ settings: [], faults, notes: [], isBroken }, ...parts]);
}

/** In a ConfigMap or a Secret the gateway's variables may stand beside Zitadel's. */
function withoutOurs(found: Found): Found {
  const settings = found.settings.filter(
    ({ key, written }) => judged(key).kind === 'known' || !isOurs(written),
  );
  return { ...found, settings };
}

/** Read by the gateway or its commands. */
function isOurs(name: string): boolean {
  return VARIABLES.has(name) || OPERATIONS.variables.has(name);
}

function isOfVariables(file: string, text: string): boolean {
  const name = basename(file);
  if (/\.(?:ya?ml|json)$/i.test(name)) return false;
  if (/(?:^|\.)env(?:\..+)?$/i.test(name)) return true;
  return /^(?:\s*(?:#.*)?\n)*\s*(?:export\s+)?\w+\s*=/.test(text);
}

/** Sallyport's own variables and those that a compose file beside it puts elsewhere may stand there too. */
function variablesIn(file: string, text: string): Found {
  const beside = composeBeside(file);
  const placed = orFailure(() => placedSettingsIn({ file, text }));
  const values = new Map(placed.map(({ name, value }) => [name, value]));
  const lookup: Lookup = (name) => values.get(name) ?? environment[name];
  const isElsewhere = (name: string): boolean => isOurs(name) || beside.includes(`\${${name}`);
  const settings = placed
    .filter(({ name }) => VARIABLE.test(name))
    .filter(({ name }) => judged(name.slice('ZITADEL_'.length)).kind === 'known' || !isElsewhere(name))
    .map(({ name, value, line }) => {
      const { text: full, missing } = substitute(value, lookup);
      return variable(file, line, name, missing.length > 0 ? null : full, missing);
    });
  // How it is reached may be written there, whatever of it stands here.
  const elsewhere = ['EXTERNALPORT', 'EXTERNALSECURE'].flatMap((key) =>
    beside.includes(`ZITADEL_${key}`) && settings.every((each) => each.key !== key)
      ? [variable(file, 1, `ZITADEL_${key}`, null)]
      : [],
  );
  return { settings: settings.length === 0 ? [] : [...settings, ...elsewhere], faults: [], notes: [] };
}

function composeBeside(file: string): string {
  const found = COMPOSE_NAMES.map((name) => join(dirname(file), name)).find((path) => existsSync(path));
  return found === undefined ? '' : readFileSync(found, 'utf8');
}

/** Variables that Compose puts in: of .env beside the file, below them those of the environment. Throws Failure. */
function lookupBeside(file: string): Lookup {
  const beside = join(dirname(file), '.env');
  if (!existsSync(beside)) return (name) => environment[name];
  const text = readFileSync(beside, 'utf8').replace(/^\uFEFF/, '');
  const settings = orFailure(() => placedSettingsIn({ file: beside, text }));
  const values = new Map<string, string>();
  const lookup: Lookup = (name) => values.get(name) ?? environment[name];
  for (const { name, value } of settings) values.set(name, substitute(value, lookup).text);
  return lookup;
}

function orFailure<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof UnreadableEnvFile ? new Failure(error.message, { cause: error }) : error;
  }
}
