import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import { sql, type Database } from '../../shared/ports/database.ts';
import { postgresBinaries } from '../services/postgres.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';

/** Key pairs, dumps and archives of a suite. */
export interface Folder {
  readonly path: string;
  /** A dump of the database, by pg_dump with these options. */
  dump(url: string, name: string, ...options: string[]): Promise<string>;
  run(line: string, variables: Variables): ReturnType<typeof sallyport>;
  /** Drops the passwords of a database whose gate is open. Returns the archive. */
  apply(url: string, more?: Variables): Promise<string>;
  restore(url: string, archive: string, more?: Variables): Promise<void>;
  close(): Promise<void>;
}

const PAIRS = [
  ['one', 'ECDH-ES+A256KW'],
  ['other', 'ECDH-ES+A256KW'],
  ['rsa', 'RSA-OAEP-256'],
] as const;

export async function openFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-cleanup-'));
  for (const [name, alg] of PAIRS) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    await writeFile(join(path, `${name}.pub`), JSON.stringify(await exportJWK(publicKey)));
    await writeFile(join(path, `${name}.key`), JSON.stringify(await exportJWK(privateKey)));
  }
  let archives = 0;
  const run: Folder['run'] = (line, variables) => sallyport(variables, ...words(line));
  const must = async (line: string, url: string, more: Variables = {}): Promise<void> => {
    const { code, stdout, stderr } = await run(line, { DATABASE_URL: url, ...more });
    if (code !== 0) throw new Error(`${line}: ${code}\n${stdout}${stderr}`);
  };
  const dump: Folder['dump'] = async (url, name, ...options) => {
    const file = join(path, name);
    await promisify(execFile)(join(postgresBinaries, 'pg_dump'), [...options, `--file=${file}`, url]);
    return file;
  };
  return {
    path,
    dump,
    run,
    async apply(url, more) {
      archives += 1;
      const backup = await dump(url, `by-hand-${archives}.dump`, '--format=custom');
      const archive = join(path, `by-hand-${archives}.archive`);
      const database = new URL(url).pathname.slice(1);
      await must(
        `migration cleanup apply --database ${database} --backup ${backup} --archive ${archive} --recipient ${path}/one.pub`,
        url,
        more,
      );
      return archive;
    },
    restore: (url, archive, more) =>
      must(`migration cleanup restore ${archive} --key ${path}/one.key`, url, more),
    close: () => rm(path, { recursive: true, force: true }),
  };
}

export function words(line: string): string[] {
  return line.split(' ').filter((word) => word !== '');
}

/** Opens the gate: all users have an account and have completed, no password sign-in within 30 days, all tenants confirmed. */
export async function openGate(database: Database): Promise<void> {
  for (const change of [
    sql`update users set kanidm_user_id = user_id, kanidm_synced_at = now(), migration_completed_at = now(), auth_method = 'dual'`,
    sql`update sessions set created_at = now() - interval '31 days'`,
    sql`insert into sallyport_tenants (tenant_id, confirmed_at, confirmed_by) select tenant_id, now(), 'Carol' from tenants
        on conflict (tenant_id) do update set confirmed_at = now()`,
  ])
    await database.execute(change);
}
