import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { cp, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { readProof } from '../../cli/backup/layout.ts';
import { postgresMissing } from '../services/postgres.ts';
import { PROGRAM } from '../support/sallyport.ts';
import { backupStage, execute, folderOf } from './stage.ts';

describe.skipIf(postgresMissing)('an encrypted backup (needs the postgresql package)', () => {
  const stage = backupStage();
  let [ours, theirs] = ['', ''];
  const pair = async (name: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A256KW', { extractable: true });
    const file = join(folderOf(stage, 'keys').replace(/backups-\d+.*$/, ''), name);
    await writeFile(`${file}.pub.json`, JSON.stringify(await exportJWK(publicKey)));
    await writeFile(`${file}.json`, JSON.stringify(await exportJWK(privateKey)));
    return file;
  };
  const created = async (...more: readonly string[]) =>
    String((await stage.json('create', '--recipient', `${await ready()}.pub.json`, ...more))['backup']);
  const ready = async () => {
    if (ours === '') [ours, theirs] = [await pair('ours'), await pair('theirs')];
    return ours;
  };

  it('shows nothing of what it holds, and is proven while its key is still known', async () => {
    const id = await created('--verify');
    const texts = readdirSync(folderOf(stage, id))
      .filter((file) => file.endsWith('.jwe'))
      .map((file) => readFileSync(join(folderOf(stage, id), file), 'latin1'));
    expect(texts).toHaveLength(5);
    expect(texts.filter((text) => /PGDMP|user17|public_access/.test(text))).toEqual([]);
    expect(readProof(stage.dir)).toMatchObject({ backup: id });
  });

  it('is restored by the private key alone, and what it replaces is encrypted to the same key', async () => {
    const id = await created();
    await execute(stage.zitadelUrl, 'delete from projections.users14');
    expect((await stage.run('restore', id, '--yes')).stderr).toContain('--key FILE names its private half');
    expect((await stage.run('verify', id)).stderr).toContain('--key FILE');
    const done = await stage.json('restore', id, '--key', `${ours}.json`, '--yes');
    expect(done).toMatchObject({ code: 0 });
    expect(await stage.users()).toBe(40);
    expect(await stage.run('verify', String(done['safety']), '--key', `${ours}.json`)).toMatchObject({
      code: 0,
    });
    expect((await stage.run('verify', String(done['safety']))).stderr).toContain('is encrypted to the key');
  });

  it('names both keys when the private one is another', async () => {
    const id = await created();
    const { code, stderr } = await stage.run('verify', id, '--key', `${theirs}.json`);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /is encrypted to the key \S{43}, and \S+theirs\.json is \S{43}/,
      ) as unknown,
    });
    expect((await stage.run('verify', id, '--key', `${ours}.pub.json`)).stderr).toContain('is a public key');
    expect((await stage.run('create', '--recipient', `${ours}.json`)).stderr).toContain('is a private key');
  });

  it('takes keys as openssl writes them', async () => {
    const pem = `${await ready()}.pem`;
    execFileSync('openssl', [
      ...['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', pem],
    ]);
    execFileSync('openssl', ['pkey', '-in', pem, '-pubout', '-out', `${pem}.pub`]);
    const { backup } = await stage.json('create', '--recipient', `${pem}.pub`);
    expect(await stage.run('verify', String(backup), '--key', pem)).toMatchObject({ code: 0 });
    expect((await stage.run('create', '--recipient', pem)).stderr).toContain('is a private key');
  });

  it('has checksums that anybody can hold it against, without a key', async () => {
    const id = await created();
    expect(await stage.run('verify', id, '--checksums')).toMatchObject({ code: 0 });
    expect(readProof(stage.dir)).toBeUndefined();
  });

  /** As somebody would who can write to the folder, and knows how checksums are made. */
  const forge = (folder: string) => {
    const manifest = join(folder, 'manifest.json');
    const value = JSON.parse(readFileSync(manifest, 'utf8')) as {
      parts: { file: string; bytes: number; sha256: string }[];
    };
    for (const part of value.parts) {
      part.bytes = readFileSync(join(folder, part.file)).length;
      part.sha256 = execFileSync('sha256sum', [join(folder, part.file)], { encoding: 'utf8' }).slice(0, 64);
    }
    return [manifest, `${JSON.stringify(value, null, 2)}\n`] as const;
  };
  const sums = (folder: string) =>
    execFileSync('sh', ['-c', 'rm SHA256SUMS; sha256sum *.jwe manifest.json > SHA256SUMS'], { cwd: folder });

  it('does not open when a file of another backup takes the place of its own', async () => {
    const [one, other] = [await created(), await created()];
    const folder = folderOf(stage, other);
    expect(await stage.run('verify', other, '--key', `${ours}.json`)).toMatchObject({ code: 0 });
    await cp(join(folderOf(stage, one), 'zitadel.dump.jwe'), join(folder, 'zitadel.dump.jwe'));
    await writeFile(...forge(folder));
    sums(folder);
    const { code, stderr } = await stage.run('verify', other, '--key', `${ours}.json`);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was changed since the backup was made') as unknown,
    });
  });

  it('does not open when it was cut at the end of a part, although every checksum is right', async () => {
    const id = await created();
    const folder = folderOf(stage, id);
    await truncate(join(folder, 'access_rules.json.jwe'), 0);
    await writeFile(...forge(folder));
    sums(folder);
    expect(await stage.run('verify', id, '--key', `${ours}.json`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the manifest of') as unknown,
    });
  });

  it('leaves no part behind when the disk is full, and says so', async () => {
    const { PATH = '' } = process.env;
    // No file may be larger than 4 KiB here; a full disk ends a write in the same place.
    const { status, stderr } = spawnSync(
      'prlimit',
      ['--fsize=4096', '--', process.execPath, PROGRAM, '--env-file=/dev/null', 'backup', 'create'],
      { encoding: 'utf8', env: { PATH, ...stage.variables } },
    );
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('cannot write') as unknown,
    });
    expect(stage.backups()).toEqual([]);
    const [folder = ''] = readdirSync(stage.dir).filter((name) => /^backup-\d+$/.test(name));
    expect(readdirSync(join(stage.dir, folder)).filter((name) => name.endsWith('.dump'))).toEqual([]);
  });
});
