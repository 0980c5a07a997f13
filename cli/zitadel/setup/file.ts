import type * as z from 'zod';
import { Failure } from '../../failure.ts';
import { readText } from '../../input.ts';
import { environment } from '../../terminal.ts';
import { readJson, type JsonPath, type Position } from '../../../shared/json.ts';
import {
  HOST,
  setupFile,
  type Reference,
  type SetupFile,
} from '../../../shared/configuration/zitadel-setup.ts';

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

/** Throws Failure with every fault, and with every missing variable; never with a value of the file. */
export async function readSetupFile(file: string): Promise<Wanted> {
  const read = readJson(await readText(file));
  const place = ({ line, column }: Position): string => `${file}:${line}:${column}`;
  if (!read.ok) throw new Failure(`${place(read.position)} ${read.problem}`);
  const { json } = read;
  const parsed = setupFile.safeParse(json.value);
  const twice = json.duplicates.map(
    ({ position }) => `${place(position)} this name stands twice in one object`,
  );
  const faults = [...twice, ...faultsOf(parsed.error, (path) => place(json.locate(path)))];
  if (!parsed.success || faults.length > 0) throw new Failure(faults.join('\n'));
  const between = faultsBetween(parsed.data).map((fault) => `${file}: ${fault}`);
  const missing = referencesIn(parsed.data).filter((name) => (environment[name] ?? '') === '');
  if (missing.length > 0)
    between.push(`${file} refers to variables that are not set: ${[...new Set(missing)].join(', ')}`);
  if (between.length > 0) throw new Failure(between.join('\n'));
  const wanted = resolved(parsed.data);
  const values = faultsOfValues(wanted).map((fault) => `${file}: ${fault}`);
  if (values.length > 0) throw new Failure(values.join('\n'));
  return wanted;
}

function faultsOf(error: z.ZodError | undefined, placeOf: (path: JsonPath) => string): string[] {
  return (error?.issues ?? []).flatMap((issue) => {
    const path = issue.path.filter((each) => typeof each !== 'symbol');
    const where = path.length === 0 ? '' : ` ${path.join('.')}:`;
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `${placeOf([...path, key])}${where} there is no ${key}`);
    const isSecret = /password|Secret/.test(String(path.at(-1)));
    const hint = isSecret ? ': write { "env": "NAME" }; a secret does not belong in the file' : '';
    return [`${placeOf(path)}${where} ${issue.message}${hint}`];
  });
}

/** What variables have to be, as the file itself does not say it. */
function faultsOfValues({ publicUrl, smtp, targets }: Wanted): string[] {
  const isAddress = (text: string): boolean => /^https?:\/\//.test(text) && URL.canParse(text);
  const faults: string[] = [];
  if (publicUrl !== undefined && (!isAddress(publicUrl) || /[?#]/.test(publicUrl)))
    faults.push('publicUrl is no origin: https://gateway.example.org');
  if (smtp !== undefined && !HOST.test(smtp.host)) faults.push('smtp.host has no port: smtp.example.org:587');
  if (smtp !== undefined && !/^[^@\s]+@[^@\s]+$/.test(smtp.senderAddress))
    faults.push('smtp.senderAddress is no address');
  targets.forEach(({ endpoint }, at) => {
    if (endpoint !== undefined && !isAddress(endpoint)) faults.push(`targets.${at}.endpoint is no URL`);
  });
  return faults;
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
