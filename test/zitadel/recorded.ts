import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { recordingsMissing } from '../contracts/recordings.ts';
import { postgresBinaries, postgresMissing, sharedPostgres } from '../services/postgres.ts';
import type { MadeZitadel } from './made.ts';

const FOLDER = new URL('../../../shared/recordings/zitadel/', import.meta.url);

export const recordedMissing = recordingsMissing || postgresMissing;

/** A dump of a real Zitadel v4 with 959 users; some of their e-mails were changed by SQL before it was made. */
export const RECORDED_DUMP = fileURLToPath(new URL('dump.sql.gz', FOLDER));
export const RECORDED_ARCHIVE = fileURLToPath(new URL('dump.custom', FOLDER));
export const RECORDED_MASTERKEY = 'MasterkeyNeedsToHave32Characters';

/** Lines of one of the recordings. */
export function recordedLines(name: string): readonly unknown[] {
  return readFileSync(new URL(name, FOLDER), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** The dump, restored into a database of this test alone. */
export async function recordedZitadel(): Promise<MadeZitadel> {
  const postgres = await sharedPostgres();
  const url = await postgres.createDatabase('recorded');
  const run = async (text: string): Promise<void> => {
    const session = await openPgSession(url);
    try {
      await session.script(text);
    } finally {
      await session.close();
    }
  };
  await run('do $$ begin create role zitadel; exception when duplicate_object then null; end $$');
  const psql = spawn(join(postgresBinaries, 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', url], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const closed = once(psql, 'close');
  await pipeline(createReadStream(RECORDED_DUMP), createGunzip(), psql.stdin);
  await closed;
  if (psql.exitCode !== 0) throw new Error(`psql ended with ${psql.exitCode}`);
  return { url, run, close: () => postgres.dropDatabase(url) };
}
