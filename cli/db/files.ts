import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../failure.ts';

export interface MigrationFile {
  /** The file's name, which is the migration's identity for ever. */
  readonly name: string;
  /** The fourteen leading digits of the name; also the version in sqlx. */
  readonly version: string;
  readonly text: string;
  /** SHA-256 of the text with LF line ends, so that a checkout on Windows is not an edit. */
  readonly checksum: string;
  /** False: the file's statements run one by one, since one of them cannot run inside a transaction. */
  readonly transactional: boolean;
}

const NAME = /^(\d{14})_[a-z0-9_]+\.sql$/;
const FORM = 'YYYYMMDDhhmmss_what_it_does.sql';
const NO_TRANSACTION = /^-- sallyport:no-transaction$/m;

/** The .sql files of the folder, in order; not recursive. */
export async function readMigrations(folder: string): Promise<MigrationFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map(({ name }) => name);
  const misnamed = names.filter((name) => !NAME.test(name));
  if (misnamed.length > 0) {
    throw new Failure(misnamed.map((name) => `${name}: not of the form ${FORM}`).join('\n'));
  }
  const files = await Promise.all(
    names.sort().map(async (name) => migrationOf(name, await readFile(join(folder, name), 'utf8'))),
  );
  refuseTwins(files);
  return files;
}

export function migrationOf(name: string, content: string): MigrationFile {
  const text = content.replaceAll('\r\n', '\n');
  return {
    name,
    version: name.slice(0, 14),
    text,
    checksum: createHash('sha256').update(text).digest('hex'),
    transactional: !NO_TRANSACTION.test(text),
  };
}

function refuseTwins(files: readonly MigrationFile[]): void {
  const twins = files.filter((file, index) => file.version === files[index - 1]?.version);
  if (twins.length > 0)
    throw new Failure(twins.map(({ name }) => `${name}: its version is taken`).join('\n'));
}
