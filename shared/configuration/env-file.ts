import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { systemCode, systemFault } from '../system-errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A file of variables that is named or exists, and cannot be read. */
export class UnreadableEnvFile extends Error {
  override readonly name = 'UnreadableEnvFile';
}

export interface WithEnvFiles {
  readonly variables: Environment;
  /** The files that were read. */
  readonly files: readonly string[];
}

interface EnvFile {
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
  const below = Object.fromEntries(read.flatMap(entriesOf));
  return { variables: { ...below, ...environment }, files: read.map(({ file }) => file) };
}

/** Throws for a line without an assignment: the parser would take it as part of the next name, and lose that one. */
function entriesOf({ file, text }: EnvFile): [string, string | undefined][] {
  return Object.entries(parseEnv(text)).map(([written, value]) => {
    const name = written.trim();
    if (/^[\w.-]+$/.test(name)) return [name, value];
    const line = text.slice(0, text.indexOf(written)).split('\n').length;
    throw new UnreadableEnvFile(`cannot read the variables in ${file}: line ${line} is not NAME=value`);
  });
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
