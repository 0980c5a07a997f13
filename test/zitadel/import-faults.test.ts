import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { postgresMissing } from '../services/postgres.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { openImportGround, type ImportGround } from './import-ground.ts';
import { runsIn, until } from './import-runs.ts';

const run = promisify(execFile);
const NEW = { people: 3, prefix: 'new', payloadBytes: 3_000 };
const OLD = { people: 2, prefix: 'old' };

// Long because the faults share one server and one way to show that nothing was touched.
describe.skipIf(postgresMissing)('an import that cannot be (needs the postgresql package)', () => {
  let ground: ImportGround;
  beforeAll(async () => {
    ground = await openImportGround();
    await ground.reset(OLD);
  });
  afterAll(() => ground.close());

  /** Refused before anything was touched: no journal, no database beside, the target as it was. */
  async function refused(
    because: RegExp,
    dump: string,
    variables: Record<string, string> = {},
    ...args: readonly string[]
  ) {
    const before = await runsIn(ground);
    const { code, stdout, stderr } = await ground.import(
      { ...ground.variables(), ...variables },
      dump,
      '--yes',
      ...args,
    );
    expect(stderr).toMatch(because);
    expect(stderr).toMatch(/state: nothing was changed\n +on: the same command again/);
    expect(code, stdout).toBe(1);
    expect(await runsIn(ground)).toEqual(before);
    expect(await ground.databases()).toEqual(['zitadel']);
    expect(await ground.people()).toBe('old-1,old-2');
  }

  it('refuses dumps of other products, and what is no dump', async () => {
    await ground.query('create database shop');
    await ground.query('create table orders (id int); insert into orders values (1)', 'shop');
    const shop = join(ground.folder, 'shop.sql');
    const url = ground.postgres.url.replace(/\/postgres$/, '/shop');
    await run('pg_dump', [`--file=${shop}`, url]);
    await refused(/is no dump of Zitadel's database .*eventstore\.events2/, shop);
    await run('pg_dump', ['--format=custom', `--file=${shop}.custom`, url]);
    await refused(/is no dump of Zitadel's database/, `${shop}.custom`);
    await run('pg_dumpall', [`--file=${shop}.all`, `--dbname=${url}`, '--globals-only']);
    await refused(/is of pg_dumpall/, `${shop}.all`);
    const odd = join(ground.folder, 'odd');
    await writeFile(odd, '-- MySQL dump 10.13\nCREATE TABLE `users` (`id` int);\n');
    await refused(/is no dump of pg_dump/, odd);
    await writeFile(odd, '');
    await refused(/is empty/, odd);
    await writeFile(odd, (await readFile(await ground.dump('plain', NEW), 'utf8')).replaceAll('\n', '\r\n'));
    await refused(/has line breaks of another system/, odd);
    await writeFile(odd, gzipSync(await readFile(await ground.dump('custom', NEW))));
    await refused(/is an archive .* packed once more/, odd);
    await refused(/there is no such file/, join(ground.folder, 'absent.sql'));
    await refused(/is a tar/, await ground.dump('tar', NEW));
    await refused(/folder without toc\.dat/, ground.folder);
  });

  it('refuses dumps that were made in a way that could reach another database, or cannot be restored beside', async () => {
    await refused(/--create/, await ground.dump('plain', NEW, '--create'));
    await refused(/--clean/, await ground.dump('plain', NEW, '--clean'));
    await refused(/--inserts/, await ground.dump('plain', NEW, '--inserts'));
    await refused(
      /holds no instance|no projections\.instances/,
      await ground.dump('plain', NEW, '--schema-only'),
    );
    const dump = await ground.dump('plain', NEW);
    const hostile = join(ground.folder, 'hostile.sql');
    await writeFile(hostile, `${await readFile(dump, 'utf8')}\\! touch ${join(ground.folder, 'owned')}\n`);
    await refused(/command of psql that pg_dump does not write/, hostile);
    expect(existsSync(join(ground.folder, 'owned'))).toBe(false);
  });

  it('refuses a plain dump that was cut anywhere, also between two tables where it is valid SQL', async () => {
    const dump = await ground.dump('plain', NEW);
    const text = await readFile(dump, 'utf8');
    const cuts = [
      text.indexOf('COPY projections.users14 '),
      text.indexOf('-- Data for Name: orgs1'),
      text.indexOf('new-2'),
      text.indexOf('-- PostgreSQL database dump complete'),
      text.indexOf('\\unrestrict') + 20,
    ].filter((at) => at > 19);
    const cut = join(ground.folder, 'cut.sql');
    for (const at of cuts) {
      expect(at).toBeGreaterThan(0);
      await writeFile(cut, text.slice(0, at));
      await refused(/is cut: pg_dump's last line is missing/, cut);
    }
  });

  it.each(['gzip', 'zstd', 'custom'] as const)('refuses a dump in %s format that was cut', async (format) => {
    const dump = await ground.dump(format, { ...NEW, people: 300 });
    const { size } = await stat(dump);
    for (const share of [0.3, 0.9]) {
      await run('cp', [dump, `${dump}.cut`]);
      await truncate(`${dump}.cut`, Math.floor(size * share));
      await refused(
        /\.cut (?:cannot be read to its end|cannot be unpacked): it is cut or damaged/,
        `${dump}.cut`,
      );
    }
  });

  it('refuses a directory of which a file is missing', async () => {
    const dump = await ground.dump('directory', NEW);
    const [data] = (await readdir(dump)).filter((name) => name.endsWith('.gz'));
    await rm(join(dump, data!));
    await refused(/could not open|No such file/, dump);
  });

  it('refuses a dump of a newer Zitadel, by the setup steps of the target and by --target-version', async () => {
    const newer = await ground.dump('custom', { ...NEW, steps: ['99_of_tomorrow'] });
    await refused(/newer Zitadel than the target: 99_of_tomorrow/, newer);
    await refused(
      /newer Zitadel than Zitadel v4\.0\.0: .*73_/,
      await ground.dump('custom', NEW),
      {},
      '--target-version',
      'v4.0.0',
    );
  });

  it('warns of setup steps that the target has not done and that are not newer', async () => {
    const dump = await ground.dump('custom', { ...NEW, steps: ['41_of_another_way'] });
    const { code, stdout } = await ground.import(ground.variables(), dump, '--dry-run');
    expect(stdout).toContain('warning  setup steps: the target has not done 41_of_another_way');
    expect(code).toBe(0);
  });

  it('warns where the tables will have another owner', async () => {
    await ground.query('create role app login');
    await ground.query('alter table eventstore.events2 owner to app', 'zitadel');
    const { code, stdout } = await ground.import(
      ground.variables(),
      await ground.dump('custom', NEW),
      '--dry-run',
    );
    expect(stdout).toMatch(
      /warning +owner: what the dump makes will belong to zitadel, the tables here belong to app/,
    );
    expect(code).toBe(0);
    await ground.reset(OLD);
  });

  it('refuses another masterkey from the dump alone, whatever it is proven by', async () => {
    const masterkey = 'AnotherMasterkeyOf32Characters!!';
    for (const proof of ['web key', 'private key', 'signing key'] as const)
      await refused(
        /ZITADEL_MASTERKEY is not the one of the dump/,
        await ground.dump('custom', { ...NEW, proof }),
        { ZITADEL_MASTERKEY: masterkey },
      );
    await refused(/holds no key to prove it by/, await ground.dump('custom', { ...NEW, proof: 'none' }));
    await refused(/ZITADEL_MASTERKEY has 5 bytes; a masterkey has 32/, await ground.dump('custom', NEW), {
      ZITADEL_MASTERKEY: 'short',
    });
  });

  it('refuses the ExternalDomain of another instance', async () => {
    await refused(
      /login\.example\.org \(ZITADEL_EXTERNALDOMAIN\) is no domain of the dump's instances, which have localhost/,
      await ground.dump('custom', NEW),
      { ZITADEL_EXTERNALDOMAIN: 'login.example.org' },
    );
  });

  it('refuses a target that holds something else', async () => {
    const dump = await ground.dump('custom', NEW);
    await ground.query('create database zitadelno; ');
    await ground.query('create table orders (id int)', 'zitadelno');
    const { code, stderr } = await ground.import(ground.variables('zitadelno'), dump, '--yes');
    expect(stderr).toContain("holds 1 table that are not Zitadel's");
    expect(code).toBe(1);
    await ground.query('drop database zitadelno');
  });

  it('names every right that lacks', async () => {
    await ground.query('create role plain_operator login');
    const url = ground.variables()['ZITADEL_DATABASE_URL']!.replace('postgres@', 'plain_operator@');
    await ground.query(
      'grant usage on schema eventstore, projections, system, cache to plain_operator; grant select on all tables in schema eventstore, projections to plain_operator',
      'zitadel',
    );
    await refused(
      /plain_operator may not create and drop databases .*plain_operator is no member of zitadel.*may not rename zitadel/,
      await ground.dump('custom', NEW),
      { ZITADEL_DATABASE_URL: url },
    );
    await ground.query('create role stranger login');
    await refused(
      /stranger may not create and drop databases .*stranger is no member of zitadel.*may not rename zitadel.*stranger may not read zitadel/,
      await ground.dump('custom', NEW),
      { ZITADEL_DATABASE_URL: ground.variables()['ZITADEL_DATABASE_URL']!.replace('postgres@', 'stranger@') },
    );
    const dump = await ground.dump('plain', NEW);
    const strange = join(ground.folder, 'strange.sql');
    await writeFile(
      strange,
      (await readFile(dump, 'utf8')).replaceAll('OWNER TO zitadel', 'OWNER TO "ab""sent"'),
    );
    await refused(
      /there is no role ab"sent, which the dump names \(create role "ab""sent" login;\)/,
      strange,
    );
  });

  it('refuses a server that is away, and a password that is wrong, without showing it', async () => {
    await refused(/unavailable/, await ground.dump('custom', NEW), {
      ZITADEL_DATABASE_URL: 'postgres://postgres:Grendel@127.0.0.1:9/zitadel',
    });
  });

  it('needs kubectl and a Zitadel in the namespace for --to kubernetes', async () => {
    const dump = await ground.dump('custom', NEW);
    const { PATH = '' } = process.env;
    const without = PATH.split(delimiter).filter((folder) => !existsSync(join(folder, 'kubectl')));
    // Programs that lie beside kubectl.
    const few = join(ground.folder, 'few');
    await mkdir(few);
    await refused(
      /kubectl is not in PATH/,
      dump,
      { PATH: [few, ...without].join(delimiter) },
      '--to',
      'kubernetes',
    );
    const shim = join(few, 'kubectl');
    await writeFile(
      shim,
      '#!/bin/sh\necho "The connection to the server 127.0.0.1:6443 was refused" >&2; exit 1\n',
    );
    await chmod(shim, 0o755);
    await refused(
      /kubectl ended with 1: The connection to the server/,
      dump,
      { PATH: `${few}${delimiter}${PATH}` },
      '--to',
      'kubernetes',
    );
    await writeFile(shim, '#!/bin/sh\necho \'{"items":[]}\'\n');
    await refused(
      /kubectl finds no Zitadel in the namespace/,
      dump,
      { PATH: `${few}${delimiter}${PATH}` },
      '--to',
      'kubernetes',
    );
  });

  it('exits 2 without a dump, and for a way that there is not', async () => {
    const variables = ground.variables();
    expect((await ground.import(variables)).code).toBe(2);
    expect((await ground.import(variables, 'dump.sql', '--to', 'docker')).code).toBe(2);
    expect((await ground.import(variables, 'dump.sql', '--target-version', 'newest')).code).toBe(2);
  });

  it('refuses a second import while one is under way, with the same BACKUP_DIR and with another', async () => {
    const dump = await ground.dump('custom', NEW);
    const held = await openPgSession(ground.variables()['ZITADEL_DATABASE_URL']!);
    const first = spawnSallyport(ground.variables(), 'zitadel', 'import', dump, '--yes');
    await until(first, 'waiting: connected');
    for (const variables of [
      ground.variables(),
      { ...ground.variables(), BACKUP_DIR: join(ground.folder, 'elsewhere') },
    ]) {
      const { code, stderr } = await ground.import(variables, dump, '--yes');
      expect(stderr).toMatch(/another import.* is under way/);
      expect(code).toBe(1);
    }
    await held.close();
    await once(first, 'close');
    await ground.import(ground.variables(), 'recover', '--yes');
    await ground.import(ground.variables(), 'finish', '--yes');
    expect(await ground.people()).toBe('old-1,old-2');
  });
});
