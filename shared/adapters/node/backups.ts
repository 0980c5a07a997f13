import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as z from 'zod';
import { BACKUP_KIND, BackupHead, MANIFEST_FILE, Proof, PROOF_FILE } from '../../backup/records.ts';
import type { ReadBackups } from '../../ports/backups.ts';

const FOLDER = new RegExp(`^${BACKUP_KIND}-\\d{14}$`);

/** Reads no more than the manifest of the newest, and of those before a restore that are newer. Node only. */
export const readBackups: ReadBackups = (folder) => {
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder)
    .filter((name) => FOLDER.test(name))
    .sort()
    .reverse();
  const whole = names.filter((name) => existsSync(join(folder, name, MANIFEST_FILE)));
  let newest: Date | null = null;
  for (const name of whole) {
    const head = parsed(join(folder, name, MANIFEST_FILE), BackupHead);
    if (head?.purpose !== undefined) continue;
    newest = head === undefined ? null : new Date(head.at);
    break;
  }
  const proof = parsed(join(folder, PROOF_FILE), Proof);
  return {
    newest,
    incomplete: names.length > 0 && names[0] !== whole[0],
    proven: proof === undefined ? null : new Date(proof.at),
  };
};

/** Undefined for a file that is not there or cannot be understood. */
function parsed<T>(file: string, shape: z.ZodType<T>): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return shape.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
