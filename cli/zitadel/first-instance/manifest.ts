import type { Found, Setting } from './settings.ts';
import { flagsIn, isCore, OF_SET_UP, wordsAt } from './flags.ts';
import { TELLING } from './names.ts';
import type { Substituted } from './substitute.ts';
import { entry, listAt, textAt, treesOf, type Entry, type Tree } from './tree.ts';

const PREFIX = 'ZITADEL_';
export const VARIABLE = /^ZITADEL_\w+$/;
/** Where the Helm chart takes Zitadel's own configuration. */
const CHART_SECTIONS = ['configmapConfig', 'secretConfig'];

/**
 * Settings of any YAML but a compose file: variables by name, in maps, in lists and in `env:` of Kubernetes; Zitadel's own
 * configuration, alone, in values of the Helm chart, or as a text in a ConfigMap or a Secret.
 */
export function manifestSettings(file: string, tree: Tree): Found {
  const settings = isConfiguration(tree)
    ? configuration(file, tree)
    : [...walk(file, tree, '', isSecret(tree))];
  return { settings, faults: bothKeys(file, tree), notes: [] };
}

/** Whether it is Zitadel's own configuration, by its first level. */
export function isConfiguration(tree: Tree): boolean {
  return tree.kind === 'map' && tree.entries.some(({ key }) => TELLING.includes(first(key)));
}

function first(key: string): string {
  return (key.split('.')[0] ?? '').toUpperCase();
}

/** Nested keys, where dots nest too, in any case. */
export function configuration(file: string, tree: Tree, above = '', written = ''): Setting[] {
  if (tree.kind !== 'map') return [];
  return tree.entries.flatMap(({ key: own, line, value }): Setting[] => {
    const key = `${above}${own.replaceAll('.', '_').toUpperCase()}`;
    const name = `${written}${own}`;
    if (value.kind === 'map') return configuration(file, value, `${key}_`, `${name}.`);
    // A list is of no concern here; an empty value over a section is not taken by Zitadel.
    const text = value.kind === 'text' ? (value.value ?? '') : '';
    return [{ key, written: name, value: text, missing: [], file, line, of: 'file' }];
  });
}

function* walk(file: string, tree: Tree, parent: string, secret: boolean): Generator<Setting> {
  if (tree.kind === 'list') for (const item of tree.items) yield* walk(file, item, parent, secret);
  if (tree.kind === 'text' && tree.value !== null) yield* listed(file, tree.value, tree.line);
  if (tree.kind !== 'map') return;
  const name = textAt(tree, 'name');
  if (name !== undefined && VARIABLE.test(name)) {
    const value = entry(tree, 'value')?.value;
    yield variable(file, tree.line, name, value === undefined ? null : textIn(value));
    return;
  }
  const image = textAt(tree, 'image');
  if (image !== undefined && !isCore(image) && !listAt(tree, 'env').some(isOfSetUp)) return;
  // A container of Kubernetes, whose $(NAME) is not put in here.
  if (image !== undefined) yield* flagsOf(file, tree);
  for (const each of tree.entries) yield* entrySettings(file, each, parent, secret);
}

/** What `envFrom` brings stands elsewhere, and the masterkey may be among it. */
function flagsOf(file: string, container: Tree): readonly Setting[] {
  const { settings } = flagsIn(file, wordsAt(container, 'command', 'args'), seen);
  if (entry(container, 'envFrom') === undefined) return settings;
  return settings.filter(({ key }) => key !== '--masterkeyFromEnv' && key !== 'start');
}

/** For a copy of Zitadel's image under another name. */
function isOfSetUp(env: Tree): boolean {
  return OF_SET_UP.test(textAt(env, 'name') ?? '');
}

function seen(text: string): Substituted {
  const [, name] = /\$\((\w+)\)/.exec(text) ?? [];
  return { text, missing: name === undefined ? [] : [name] };
}

function* entrySettings(
  file: string,
  { key, line, value }: Entry,
  parent: string,
  secret: boolean,
): Generator<Setting> {
  const coded = secret && parent === 'data';
  if (CHART_SECTIONS.includes(key)) yield* configuration(file, value);
  else if (VARIABLE.test(key)) yield variable(file, line, key, decoded(textIn(value), coded));
  else if (key === 'masterkey' && (parent === 'zitadel' || secret)) {
    const text = decoded(textIn(value), coded);
    if (text !== '' && text !== null)
      yield { key: 'MASTERKEY', written: key, value: text, missing: [], file, line, of: 'variable' };
  } else if (coded) yield* within(file, decoded(textIn(value), true) ?? '', () => line);
  else if (value.kind === 'text' && value.value?.includes('\n') === true)
    yield* within(file, value.value, (inner) => (value.block ? value.line + inner : line));
  else yield* walk(file, value, key, secret);
}

/** Configuration as a text inside of the file. */
function* within(file: string, text: string, lineOf: (inner: number) => number): Generator<Setting> {
  for (const tree of treesOf({ file, text }).trees)
    if (isConfiguration(tree))
      for (const setting of configuration(file, tree)) yield { ...setting, line: lineOf(setting.line) };
}

function* listed(file: string, text: string, line: number): Generator<Setting> {
  const [, name, value] = /^(ZITADEL_\w+)(?:=([^]*))?$/.exec(text) ?? [];
  if (name !== undefined) yield variable(file, line, name, value ?? null);
}

export function variable(
  file: string,
  line: number,
  written: string,
  value: string | null,
  missing: readonly string[] = [],
): Setting {
  return { key: written.slice(PREFIX.length), written, value, missing, file, line, of: 'variable' };
}

function textIn(tree: Tree): string | null {
  return tree.kind === 'text' ? (tree.value ?? '') : null;
}

function isSecret(tree: Tree): boolean {
  return textAt(tree, 'kind') === 'Secret';
}

function decoded(text: string | null, coded: boolean): string | null {
  return coded && text !== null ? Buffer.from(text, 'base64').toString() : text;
}

/** The chart refuses both. */
function bothKeys(file: string, tree: Tree): Found['faults'] {
  const zitadel = entry(tree, 'zitadel')?.value;
  const own = entry(zitadel, 'masterkey');
  const both =
    (textAt(zitadel, 'masterkey') ?? '') !== '' && (textAt(zitadel, 'masterkeySecretName') ?? '') !== '';
  if (own === undefined || !both) return [];
  return [
    { file, line: own.line, message: 'masterkey and masterkeySecretName are both set: keep one of them' },
  ];
}
