import * as z from 'zod';

/**
 * What a folder of backups tells whoever watches over it: BACKUP_DIR/backup-<id>/manifest.json is there once a backup is whole, and
 * BACKUP_DIR/proven.json names the last one that was restored and counted.
 */
export const BACKUP_KIND = 'backup';
export const MANIFEST_FILE = 'manifest.json';
export const PROOF_FILE = 'proven.json';

export const BackupHead = z.looseObject({
  format: z.number().int(),
  /** Fourteen digits: UTC to the second. */
  id: z.string().regex(/^\d{14}$/),
  at: z.iso.datetime(),
  /** Why it was made where not for its own sake: before a restore, of what that replaces. */
  purpose: z.string().optional(),
});
export type BackupHead = z.output<typeof BackupHead>;

export const Proof = z.object({
  /** Id of the backup. */
  backup: z.string(),
  /** When that one was made. */
  made_at: z.iso.datetime(),
  /** When it was restored and its rows were counted. */
  at: z.iso.datetime(),
  parts: z.array(z.string()),
});
export type Proof = z.output<typeof Proof>;
