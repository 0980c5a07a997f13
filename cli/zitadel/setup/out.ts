import { existsSync } from 'node:fs';
import { readText } from '../../input.ts';
import { writePrivately } from '../../private-file.ts';
import { envText } from './out-env.ts';
import type { Kept, OutFormat } from './out-format.ts';

const NOTHING: Kept = { values: new Map(), pending: new Map(), belongs: new Map() };

/** The file of --out: readable by its owner alone, written anew, whole, after every secret. */
export class OutFile {
  readonly path: string | null;
  readonly #format: OutFormat;
  #text: string;
  #kept: Kept;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string | null, format: OutFormat, text: string) {
    this.path = path;
    this.#format = format;
    this.#text = text;
    this.#kept = text === '' ? NOTHING : format.read(text);
  }

  /** Throws Failure when it cannot be read. */
  static async open(path: string | undefined): Promise<OutFile> {
    if (path === undefined) return new OutFile(null, envText, '');
    // Loaded where it is used: YAML costs every other run a part of its start.
    const format = /\.ya?ml$/i.test(path) ? (await import('./out-manifest.ts')).manifestText : envText;
    return new OutFile(path, format, existsSync(path) ? await readText(path) : '');
  }

  get(variable: string): string | undefined {
    const value = this.#kept.values.get(variable);
    return value === '' ? undefined : value;
  }

  belongsTo(variable: string): string | undefined {
    return this.#kept.belongs.get(variable);
  }

  /** Whether a variable belongs to this. */
  holds(owner: string): boolean {
    return [...this.#kept.belongs.values()].includes(owner);
  }

  /** Undefined: no run was cut off while this secret was being made. */
  pending(variable: string): readonly string[] | undefined {
    return this.#kept.pending.get(variable);
  }

  /** Says that secrets are about to be made, so that one whose answer is lost can be made anew. */
  begin(secrets: ReadonlyMap<string, readonly string[]>): Promise<void> {
    if (secrets.size === 0) return Promise.resolve();
    return this.#change((kept) => ({ ...kept, pending: new Map([...kept.pending, ...secrets]) }));
  }

  /** Keeps a value. `owner`: what it belongs to. */
  keep(variable: string, value: string, owner?: string): Promise<void> {
    if (this.get(variable) === value && this.pending(variable) === undefined) return Promise.resolve();
    return this.#change(({ values, pending, belongs }) => ({
      values: new Map([...values, [variable, value]]),
      pending: new Map([...pending].filter(([each]) => each !== variable)),
      belongs: owner === undefined ? belongs : new Map([...belongs, [variable, owner]]),
    }));
  }

  /** Adds one of several values that a comma list holds, before the others. */
  keepAmong(variable: string, value: string): Promise<void> {
    const held = (this.get(variable) ?? '').split(',').map((each) => each.trim());
    if (held.includes(value)) return Promise.resolve();
    return this.keep(variable, [value, ...held.filter((each) => each !== '')].join(','));
  }

  #change(change: (kept: Kept) => Kept): Promise<void> {
    const path = this.path;
    if (path === null) return Promise.resolve();
    this.#kept = change(this.#kept);
    const text = this.#format.write(this.#text, this.#kept);
    this.#text = text;
    // One after another: each has what those before it kept.
    this.#writing = this.#writing.then(() => writePrivately(path, (to) => to(text)));
    return this.#writing;
  }
}
