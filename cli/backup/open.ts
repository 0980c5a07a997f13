import { Failure } from '../failure.ts';
import { unwrapped } from '../sealed/envelope.ts';
import { readOpener } from '../sealed/keys.ts';
import { note } from '../terminal.ts';
import { checkPart, type Seal } from './file.ts';
import { macOf, type Backup } from './layout.ts';

/** What opens the files of a backup; null: they are not encrypted. Throws Failure without the key, for another one, and for a changed manifest. */
export async function openSeal(
  { folder, manifest }: Backup,
  keyFile: string | undefined,
): Promise<Seal | null> {
  const { encryption, id } = manifest;
  if (encryption === null) {
    if (keyFile !== undefined) note(`${folder} is not encrypted: ${keyFile} is not needed`);
    return null;
  }
  if (keyFile === undefined)
    throw new Failure(
      `${folder} is encrypted to the key ${encryption.recipient} (thumbprint): --key FILE names its private half`,
    );
  const opener = await readOpener(keyFile);
  if (opener.thumbprint !== encryption.recipient)
    throw new Failure(
      `${folder} is encrypted to the key ${encryption.recipient}, and ${keyFile} is ${opener.thumbprint} (thumbprints)`,
    );
  const key = await unwrapped(encryption.key, opener);
  if (key === undefined || macOf(manifest, key) !== encryption.mac)
    throw new Failure(`the manifest of ${folder} was changed since the backup was made`);
  return { key, backup: id };
}

/** Holds every file against the manifest. Throws Failure with all that is wrong. */
export async function checkFiles({ folder, manifest }: Backup): Promise<void> {
  const faults: string[] = [];
  for (const part of manifest.parts)
    await checkPart(folder, part).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      faults.push(error.message);
    });
  if (faults.length > 0) throw new Failure(faults.join('\n'));
}
