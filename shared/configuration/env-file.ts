import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { systemCode, systemFault } from '../system-errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A file of variables that is named or exists, and cannot be read, or has a line that is no setting. */
export class UnreadableEnvFile extends Error {
  override readonly name = 'UnreadableEnvFile';
}

export interface WithEnvFiles {
  readonly variables: Environment;
  /** The files that were read. */
  readonly files: readonly string[];
}

export interface EnvFile {
  readonly file: string;
  readonly text: string;
}

const DEFAULT = '.env';

/**
 * The environment, and below it the variables of files: those named, a later one winning over an earlier one, else .env if
 * it exists. A variable of the environment wins even when empty. Throws UnreadableEnvFile. Node only.
 */
export function withEnvFiles(environment: Environment, named: readonly string[] = []): WithEnvFiles {
  const texts = named.length > 0 ? named.map((file) => textOf(file)) : [defaultText()];
  const read = texts.flatMap((text) => (text === undefined ? [] : [text]));
  const below = Object.fromEntries(read.flatMap(settingsIn));
  return { variables: { ...below, ...environment }, files: read.map(({ file }) => file) };
}

const LINE_END = /\r\n|\r|\n/;
const BLANK_OR_COMMENT = /^\s*(?:#[^]*)?$/;
const SETTING = /^\s*(?:export\s+)?(?<name>[\w.-]+)\s*=\s*(?<value>[^]*)$/;
const QUOTES: ReadonlySet<string | undefined> = new Set(['"', "'", '`']);

/**
 * The settings of a file, each parsed by Node alone: of a whole file its parser skips what is no setting, or takes it as part
 * of the next name. Throws UnreadableEnvFile with the number of the line, never with its text, which may be a secret.
 */
export function settingsIn(file: EnvFile): [string, string][] {
  return placedSettingsIn(file).map(({ name, value }) => [name, value]);
}

export interface PlacedSetting {
  readonly name: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** The same, each with the line it begins on. */
export function placedSettingsIn({ file, text }: EnvFile): PlacedSetting[] {
  const settings: PlacedSetting[] = [];
  const lines = text.split(LINE_END);
  const fault = (at: number, problem: string): UnreadableEnvFile =>
    new UnreadableEnvFile(`cannot read the variables in ${file}: line ${at + 1} ${problem}`);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (BLANK_OR_COMMENT.test(line)) continue;
    const { name, value: begun = '' } = SETTING.exec(line)?.groups ?? {};
    if (name === undefined) throw fault(at, 'is not NAME=value');
    let value = begun;
    const first = at;
    const [quote = ''] = begun;
    if (QUOTES.has(quote)) {
      while (!value.includes(quote, 1)) {
        at += 1;
        if (at === lines.length) throw fault(first, 'opens a quote that is not closed');
        value += `\n${lines[at] ?? ''}`;
      }
      const behind = value.slice(value.indexOf(quote, 1) + 1);
      if (!BLANK_OR_COMMENT.test(behind)) throw fault(at, 'goes on behind its closing quote');
    }
    const parsed = Object.values(parseEnv(`${name}=${value}`))[0] ?? '';
    settings.push({ name, value: parsed, line: first + 1 });
  }
  return settings;
}

function defaultText(): EnvFile | undefined {
  try {
    return textOf(DEFAULT);
  } catch (error) {
    if (error instanceof UnreadableEnvFile && systemCode(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}

function textOf(file: string): EnvFile {
  try {
    // An editor's byte order mark would be part of the first name.
    return { file, text: readFileSync(file, 'utf8').replace(/^\uFEFF/, '') };
  } catch (error) {
    const why = systemFault(error) ?? 'unknown error';
    throw new UnreadableEnvFile(`cannot read the variables in ${file}: ${why}`, { cause: error });
  }
}
