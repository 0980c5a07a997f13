import { existsSync } from 'node:fs';
import { textSource, type TextSource } from '../../shared/configuration/values.ts';
import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { DATABASE, type OpenFgaConfig } from '../../shared/configuration/stores.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { Failure } from '../failure.ts';
import { readText } from '../input.ts';
import { storeSettings } from '../fga/connect.ts';
import { environment } from '../terminal.ts';
import { configured } from '../variables.ts';
import type { Target } from './database.ts';
import { DATABASE_NAMES, TEXT_NAMES, type DatabaseName, type PartName, type TextName } from './layout.ts';

const VARIABLES: Readonly<Record<DatabaseName, string>> = {
  zitadel: 'ZITADEL_DATABASE_URL',
  openfga: 'OPENFGA_DATABASE_URL',
  sallyport: 'DATABASE_URL',
};

const TEXTS: Readonly<Record<TextName, { readonly variable: string; readonly fallback: string }>> = {
  access_rules: { variable: 'ACCESS_RULES', fallback: 'config/access_rules.json' },
  access_rules_prev: { variable: 'ACCESS_RULES_PREV', fallback: 'config/access_rules_prev.json' },
  default_grants: { variable: 'DEFAULT_GRANTS', fallback: 'config/default_grants.json' },
};

export interface Text {
  readonly name: TextName;
  readonly variable: string;
  readonly source: TextSource;
}

/** Everything a backup can hold, as far as variables lead to it. */
export interface Sources {
  readonly databases: readonly Target[];
  /** Null: OPENFGA_URL or OPENFGA_STORE_ID is not set. */
  readonly relations: OpenFgaConfig | null;
  readonly texts: readonly Text[];
  readonly leftOut: readonly { readonly name: PartName; readonly why: string }[];
}

const isSet = (variable: string): boolean => (environment[variable] ?? '') !== '';

/** Throws Failure for variables that are malformed. */
export function readSources(): Sources {
  // Checks their shapes; an unset one leaves its part out.
  configured(OPERATIONS.and(DATABASE));
  const databases = DATABASE_NAMES.filter((name) => isSet(VARIABLES[name])).map(targetOf);
  const relations = isSet('OPENFGA_URL') && isSet('OPENFGA_STORE_ID') ? storeSettings() : null;
  const texts = TEXT_NAMES.map(textOf).filter(
    ({ variable, source }) => isSet(variable) || source.kind === 'inline' || existsSync(source.path),
  );
  const present = new Set<PartName>([
    ...databases.map(({ name }) => name),
    ...(relations === null ? [] : ['tuples' as const]),
    ...texts.map(({ name }) => name),
  ]);
  const absent: readonly { readonly name: PartName; readonly why: string }[] = [
    ...DATABASE_NAMES.map((name) => ({ name, why: `${VARIABLES[name]} is not set` })),
    { name: 'tuples', why: 'OPENFGA_URL and OPENFGA_STORE_ID are not set' },
    ...TEXT_NAMES.map((name) => ({
      name,
      why: `${TEXTS[name].variable} is not set, and there is no ${TEXTS[name].fallback}`,
    })),
  ];
  return { databases, relations, texts, leftOut: absent.filter(({ name }) => !present.has(name)) };
}

export function targetOf(name: DatabaseName): Target {
  const variable = VARIABLES[name];
  const url = environment[variable] ?? '';
  if (url !== '' && parseDatabaseUrl(url).pooled)
    throw new Failure(`${variable} leads to a connection pooler: name the direct address of the database`);
  return { name, variable, url };
}

export function textOf(name: TextName): Text {
  const { variable, fallback } = TEXTS[name];
  const source = textSource(isSet(variable) ? (environment[variable] ?? '') : fallback);
  return { name, variable, source };
}

/** Throws Failure when its file cannot be read. */
export async function contentOf({ source }: Text): Promise<string> {
  return source.kind === 'inline' ? source.json : readText(source.path);
}
