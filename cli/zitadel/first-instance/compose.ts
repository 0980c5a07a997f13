import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { placedSettingsIn, UnreadableEnvFile } from '../../../shared/configuration/env-file.ts';
import { systemFault } from '../../../shared/system-errors.ts';
import { configuration, variable, VARIABLE } from './manifest.ts';
import { together, type Fault, type Found, type Place, type Setting } from './settings.ts';
import { substitute, type Lookup, type Substituted } from './substitute.ts';
import { flagsIn, isCore, OF_SET_UP, wordsAt, type Mounted } from './flags.ts';
import { entry, listAt, textAt, treesOf, type Tree } from './tree.ts';

export function isCompose(tree: Tree): boolean {
  return entry(tree, 'services')?.value.kind === 'map';
}

/** Settings of the services of a compose file that are Zitadel itself. `lookup`: variables that Compose puts in. */
export function composeSettings(file: string, tree: Tree, lookup: Lookup): Found {
  const services = entry(tree, 'services')?.value;
  const entries = services?.kind === 'map' ? services.entries : [];
  return together(
    entries
      .filter(({ value }) => isZitadel(value))
      .map(({ value }) => new Service(file, value, lookup).settings()),
  );
}

function isZitadel(service: Tree): boolean {
  const image = textAt(service, 'image');
  if (image !== undefined && /zitadel/i.test(image)) return isCore(image);
  const names = entry(service, 'environment')?.value;
  if (names?.kind === 'map') return names.entries.some(({ key }) => OF_SET_UP.test(key));
  return listAt(service, 'environment').some(
    (each) => each.kind === 'text' && OF_SET_UP.test(each.value ?? ''),
  );
}

class Service {
  readonly #file: string;
  readonly #tree: Tree;
  readonly #lookup: Lookup;
  readonly #faults: Fault[] = [];
  readonly #notes: string[] = [];
  #isBroken = false;

  constructor(file: string, tree: Tree, lookup: Lookup) {
    this.#file = file;
    this.#tree = tree;
    this.#lookup = lookup;
  }

  settings(): Found {
    const words = wordsAt(this.#tree, 'entrypoint', 'command');
    const flags = flagsIn(this.#file, words, (text) => this.#put(text));
    if (entry(this.#tree, 'extends') !== undefined)
      this.#notes.push(`${this.#file}: what the service extends was not read`);
    const settings = [
      ...flags.files.flatMap((mounted) => this.#mounted(mounted, flags.files)),
      ...listAt(this.#tree, 'env_file').flatMap((each) => this.#envFile(each)),
      ...this.#environment(),
      ...flags.settings,
    ];
    return { settings, faults: this.#faults, notes: this.#notes, isZitadel: true, isBroken: this.#isBroken };
  }

  #put(text: string): Substituted {
    return substitute(text, this.#lookup);
  }

  #variable(name: string, raw: string | null, line: number): Setting[] {
    if (!VARIABLE.test(name)) return [];
    // Without a value it is passed through from where Compose runs.
    return [this.#valued(this.#file, line, name, raw ?? `\${${name}}`)];
  }

  #valued(file: string, line: number, name: string, raw: string): Setting {
    const { text, missing } = this.#put(raw);
    return variable(file, line, name, missing.length > 0 ? null : text, missing);
  }

  #environment(): Setting[] {
    const found = entry(this.#tree, 'environment')?.value;
    if (found?.kind === 'map')
      return found.entries.flatMap(({ key, line, value }) =>
        this.#variable(key, value.kind === 'text' ? value.value : null, line),
      );
    return listAt(this.#tree, 'environment').flatMap((item) => {
      const text = item.kind === 'text' ? (item.value ?? '') : '';
      const at = text.indexOf('=');
      return at < 0
        ? this.#variable(text, null, item.line)
        : this.#variable(text.slice(0, at), text.slice(at + 1), item.line);
    });
  }

  #envFile(named: Tree): Setting[] {
    const path = named.kind === 'text' ? named.value : textAt(named, 'path');
    if (path === null || path === undefined) return [];
    const file = join(dirname(this.#file), this.#put(path).text);
    const text = this.#read(
      file,
      { file: this.#file, line: named.line },
      textAt(named, 'required') !== 'false',
    );
    if (text === undefined) return [];
    try {
      return placedSettingsIn({ file, text })
        .filter(({ name }) => VARIABLE.test(name))
        .map(({ name, value, line }) => this.#valued(file, line, name, value));
    } catch (error) {
      if (!(error instanceof UnreadableEnvFile)) throw error;
      this.#faults.push({ file: this.#file, line: named.line, message: error.message });
      return [];
    }
  }

  #read(file: string, at: Place, required = true): string | undefined {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      const why = systemFault(error) ?? 'unknown error';
      if (required) this.#faults.push({ ...at, message: `${file} cannot be read: ${why}` });
      return undefined;
    }
  }

  /** A file of --config or --steps, where it is mounted from beside the compose file. */
  #mounted({ path, line, steps }: Mounted, all: readonly Mounted[]): Setting[] {
    const source = listAt(this.#tree, 'volumes')
      .map(volumeOf)
      .find(({ from, to }) => /^\.{0,2}\//.test(from) && (path === to || path.startsWith(`${to}/`)));
    if (source === undefined) {
      this.#notes.push(`${this.#file}: ${path} is not mounted from beside it, and was not read`);
      return [];
    }
    const file = join(dirname(this.#file), this.#put(source.from).text, path.slice(source.to.length));
    const text = this.#read(file, { file: this.#file, line });
    if (text === undefined) return [];
    const { trees, faults } = treesOf({ file, text });
    this.#faults.push(...faults);
    this.#isBroken ||= faults.length > 0;
    const settings = trees.flatMap((tree) => configuration(file, tree));
    // Zitadel reads steps from --steps alone, and everything else from --config.
    const fits = ({ key }: Setting): boolean => key.startsWith('FIRSTINSTANCE') === steps;
    const both = all.some((each) => each.path === path && each.steps !== steps);
    const lost = steps || both ? undefined : settings.find((setting) => !fits(setting));
    if (lost !== undefined)
      this.#faults.push({
        file,
        line: lost.line,
        message: `${lost.written} is read from a file of --steps, not of --config`,
      });
    return settings.filter(fits);
  }
}

/** `./from:/to:ro`, or a map with source and target. */
function volumeOf(volume: Tree): { readonly from: string; readonly to: string } {
  if (volume.kind !== 'text')
    return { from: textAt(volume, 'source') ?? '', to: textAt(volume, 'target') ?? '' };
  const [from = '', to = ''] = (volume.value ?? '').split(':');
  return { from, to };
}
