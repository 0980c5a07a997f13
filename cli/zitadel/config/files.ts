import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { Failure } from '../../failure.ts';
import { orUnwritable, readText } from '../../input.ts';
import { place, readJson } from '../../../shared/json.ts';
import { Instance, Organization, Project, Settings, type Action, type Configuration } from './model.ts';

/** Stands for the origin of the instance itself, in whatever text it is. */
const OWN = '{{ZITADEL}}';
const FOLDERS = ['texts', 'organizations'];

const InstanceFile = Instance.omit({ texts: true });
const ActionFile = z.array(
  z.strictObject({ name: z.string(), timeout: z.string(), allowedToFail: z.boolean() }),
);
const OrganizationFile = Organization.omit({ texts: true, projects: true, actions: true });

/** One topic a file, in one order, so that two exports differ where the instances do. By path below the folder. */
export function toFiles(
  { instance, organizations }: Configuration,
  origin: string,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const put = (path: string, value: unknown): void => {
    files.set(path, `${JSON.stringify(ordered(value), null, 2)}\n`.replaceAll(originIn(origin), OWN));
  };
  const { texts, ...rest } = instance;
  put('instance.json', rest);
  for (const [name, text] of Object.entries(texts)) put(`texts/${name}.json`, text);
  const folders = new Set<string>();
  for (const { texts: own, projects, actions, ...organization } of organizations) {
    const folder = `organizations/${free(folders, organization.name)}`;
    put(`${folder}/organization.json`, organization);
    for (const [name, text] of Object.entries(own)) put(`${folder}/texts/${name}.json`, text);
    const names = new Set<string>();
    for (const project of projects) put(`${folder}/projects/${free(names, project.name)}.json`, project);
    if (actions.length === 0) continue;
    put(
      `${folder}/actions.json`,
      actions.map(({ name, timeout, allowedToFail }) => ({ name, timeout, allowedToFail })),
    );
    const scripts = new Set<string>();
    for (const { name, script } of actions)
      files.set(`${folder}/actions/${free(scripts, name)}.js`, script.replaceAll(originIn(origin), OWN));
  }
  return files;
}

/** The origin, and nothing that merely begins like it. */
function originIn(origin: string): RegExp {
  return new RegExp(`${origin.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}(?![\\w.:-])`, 'g');
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, each]): [string, unknown] => [name, ordered(each)]);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** A name that no other has, also where a file system does not tell case apart. */
function free(taken: Set<string>, name: string): string {
  const plain = fileName(name);
  let chosen = plain;
  for (let at = 2; taken.has(chosen.toLowerCase()); at++) chosen = `${plain}~${at}`;
  taken.add(chosen.toLowerCase());
  return chosen;
}

/** 60 characters at most, which are 240 bytes: file systems take 255. */
function fileName(name: string): string {
  const plain = name.replaceAll(/[^\p{L}\p{N}._ -]+/gu, '_').replace(/^\.+/, '_');
  return plain.replace(/^(.{60}).*$/su, '$1').trim() || '_';
}

/** Files of an earlier export that are no longer there go; whatever else is in the folder stays. Throws Failure. */
export async function writeFolder(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const foreign = FOLDERS.filter((each) => existsSync(join(folder, each)));
  if (foreign.length > 0 && !existsSync(join(folder, 'instance.json')))
    throw new Failure(
      `${folder} has ${foreign.join(' and ')} and no instance.json, so they are not of an earlier export, which would be replaced: name another folder`,
    );
  await orUnwritable(folder, async () => {
    for (const each of FOLDERS) await rm(join(folder, each), { recursive: true, force: true });
    for (const [path, text] of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  });
}

/** What `toFiles` has made of it. `origin`: that of the instance it is for. Throws Failure with the file and its fault. */
export async function readFolder(folder: string, origin: string): Promise<Configuration> {
  const read = async <T>(path: string, shape: z.ZodType<T>): Promise<T> =>
    parsed(path, (await readText(join(folder, path))).replaceAll(OWN, origin), shape);
  const texts = async (below: string): Promise<Record<string, Settings>> => {
    const found = await filesBelow(join(folder, below));
    const all = await Promise.all(
      found.map(
        async (path) => [path.replace(/\.json$/, ''), await read(join(below, path), Settings)] as const,
      ),
    );
    return Object.fromEntries(all);
  };
  const instance = { ...(await read('instance.json', InstanceFile)), texts: await texts('texts') };
  const organizations: Organization[] = [];
  for (const name of await entriesOf(join(folder, 'organizations'))) {
    const at = join('organizations', name);
    const own = await read(join(at, 'organization.json'), OrganizationFile);
    const projects: Project[] = [];
    for (const file of await entriesOf(join(folder, at, 'projects')))
      projects.push(await read(join(at, 'projects', file), Project));
    const actions: Action[] = [];
    const scripts = new Set<string>();
    if (existsSync(join(folder, at, 'actions.json')))
      for (const action of await read(join(at, 'actions.json'), ActionFile)) {
        const script = await readText(join(folder, at, 'actions', `${free(scripts, action.name)}.js`));
        actions.push({ ...action, script: script.replaceAll(OWN, origin) });
      }
    organizations.push({ ...own, texts: await texts(join(at, 'texts')), projects, actions });
  }
  return { instance, organizations };
}

function parsed<T>(path: string, text: string, shape: z.ZodType<T>): T {
  const read = readJson(text);
  if (!read.ok) throw new Failure(`${path}:${place({ ...read.position, message: read.problem })}`);
  const { json } = read;
  const result = shape.safeParse(json.value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path: at, message }) => {
    const steps = at.filter((each) => typeof each !== 'symbol');
    return `${path}:${place({ ...json.locate(steps), message: `${steps.join('.')} ${message}` })}`;
  });
  throw new Failure(faults.join('\n'));
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  return existsSync(folder) ? (await readdir(folder)).filter((name) => !name.startsWith('.')).sort() : [];
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  const found = await readdir(folder, { recursive: true });
  return found
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.replaceAll('\\', '/'))
    .sort();
}
