import type * as z from 'zod';
import { Failure } from '../../failure.ts';
import { readText } from '../../input.ts';
import { environment } from '../../terminal.ts';
import { setupFile, type Reference, type SetupFile } from '../../../shared/configuration/zitadel-setup.ts';

/** The file with every reference replaced by its value. */
export type Wanted = Resolved<SetupFile>;
type Resolved<T> = T extends Reference
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Resolved<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Resolved<T[Key]> }
      : T;

export type IdpWanted = Wanted['identityProviders'][number];
export type TargetWanted = Wanted['targets'][number];

/** Throws Failure with every fault, and with every missing variable. */
export async function readSetupFile(file: string): Promise<Wanted> {
  const parsed = setupFile.safeParse(parse(await readText(file), file));
  if (!parsed.success) throw new Failure(faultsOf(parsed.error, file).join('\n'));
  const faults = faultsBetween(parsed.data).map((fault) => `${file}: ${fault}`);
  const missing = referencesIn(parsed.data).filter((name) => (environment[name] ?? '') === '');
  if (missing.length > 0)
    faults.push(`${file} refers to variables that are not set: ${[...new Set(missing)].join(', ')}`);
  if (faults.length > 0) throw new Failure(faults.join('\n'));
  return resolved(parsed.data);
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}

function faultsOf({ issues }: z.ZodError, file: string): string[] {
  return issues.map((issue) => {
    const where = issue.path.length === 0 ? '' : ` ${issue.path.join('.')}`;
    const isSecret = /password|Secret/.test(String(issue.path.at(-1)));
    const hint = isSecret ? ': write { "env": "NAME" }; a secret does not belong in the file' : '';
    return `${file}:${where} ${issue.message}${hint}`;
  });
}

/** What no single member is wrong about. */
function faultsBetween(file: SetupFile): string[] {
  const { project, api, web, smtp, publicUrl, targets, identityProviders } = file;
  const faults: string[] = [];
  if (project === undefined && (api !== undefined || web !== undefined))
    faults.push('project is missing: api and web are applications of it');
  if (api !== undefined && api.name === web?.name) faults.push('api and web have the same name');
  if (smtp !== undefined && (smtp.user === undefined) !== (smtp.password === undefined))
    faults.push('smtp: user and password go together');
  const needUrl = [
    ...(web?.redirectUris === undefined && web !== undefined ? ['web.redirectUris'] : []),
    ...targets.flatMap(({ endpoint }, at) => (endpoint === undefined ? [`targets.${at}.endpoint`] : [])),
  ];
  if (publicUrl === undefined && needUrl.length > 0)
    faults.push(`publicUrl is missing: ${needUrl.join(' and ')} would be made of it`);
  for (const [what, names] of [
    ['targets', targets.map((each) => each.name)],
    ['identityProviders', identityProviders.map((each) => `${each.type} ${each.name}`)],
    ['project.roles', (project?.roles ?? []).map(({ key }) => key)],
  ] as const)
    if (new Set(names).size !== names.length) faults.push(`${what}: two have the same name`);
  return faults;
}

function isReference(value: unknown): value is Reference {
  return typeof value === 'object' && value !== null && 'env' in value && typeof value.env === 'string';
}

function referencesIn(value: unknown): string[] {
  if (isReference(value)) return [value.env];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(referencesIn);
}

function resolved<T>(value: T): Resolved<T>;
function resolved(value: unknown): unknown {
  if (isReference(value)) return environment[value.env] ?? '';
  if (Array.isArray(value)) return value.map((each: unknown) => resolved(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]: [string, unknown]) => [name, resolved(each)]),
  );
}
