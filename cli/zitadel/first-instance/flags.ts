import type { Setting } from './settings.ts';
import type { Substituted } from './substitute.ts';
import { entry, type Tree } from './tree.ts';

/** Flags of `zitadel start…`, by the setting that they overrule. */
const FLAGS: Readonly<Record<string, string>> = {
  masterkey: 'MASTERKEY',
  masterkeyFromEnv: '--masterkeyFromEnv',
  masterkeyFile: '--masterkeyFile',
  tlsMode: '--tlsMode',
  externalDomain: 'EXTERNALDOMAIN',
  externalPort: 'EXTERNALPORT',
};

/** Commands of Zitadel that refuse to go on without a masterkey, of which only flags say where it comes from. */
const STARTS = /^(?:start(?:-from-(?:init|setup))?|setup)$/;

/** A file of --config or --steps. */
export interface Mounted {
  readonly path: string;
  readonly line: number;
  readonly steps: boolean;
}

export interface Word {
  readonly text: string;
  readonly line: number;
}

/** Variables that only Zitadel is given; others are the gateway's too. */
export const OF_SET_UP = /^ZITADEL_(?:FIRSTINSTANCE|DEFAULTINSTANCE|DATABASE_POSTGRES)_/;

/** Whether an image is Zitadel itself, not its login. */
export function isCore(image: string): boolean {
  return /zitadel/i.test(image) && !/login/i.test(image);
}

/** What a command line says. `put`: puts variables in. */
export function flagsIn(
  file: string,
  words: readonly Word[],
  put: (text: string) => Substituted,
): { readonly settings: readonly Setting[]; readonly files: readonly Mounted[] } {
  const settings: Setting[] = [];
  const files: Mounted[] = [];
  for (const [at, { text, line }] of words.entries()) {
    if (STARTS.test(text))
      settings.push({ key: 'start', written: text, value: '', missing: [], file, line, of: 'flag' });
    const [, name = '', own] = /^--(\w+)(?:=([^]*))?$/.exec(text) ?? [];
    const raw = own ?? words[at + 1]?.text ?? '';
    if (name === 'config' || name === 'steps')
      files.push({ path: put(raw).text, line, steps: name === 'steps' });
    const key = FLAGS[name];
    if (key === undefined) continue;
    const { text: value, missing } = name === 'masterkeyFromEnv' ? { text: '', missing: [] } : put(raw);
    const seen = missing.length > 0 ? null : value;
    settings.push({ key, written: `--${name}`, value: seen, missing, file, line, of: 'flag' });
  }
  return { settings, files };
}

/** The words of these members, each a list or one line. */
export function wordsAt(tree: Tree, ...keys: readonly string[]): Word[] {
  return keys.flatMap((key) => {
    const value = entry(tree, key)?.value;
    if (value?.kind === 'list')
      return value.items.map((item) => ({
        text: item.kind === 'text' ? (item.value ?? '') : '',
        line: item.line,
      }));
    const text = value?.kind === 'text' ? (value.value ?? '') : '';
    const words = text.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
    return words.map((word) => ({ text: word.replace(/^(["'])(.*)\1$/s, '$2'), line: value?.line ?? 0 }));
  });
}
