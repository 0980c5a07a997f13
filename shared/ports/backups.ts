/** What a folder of backups tells. */
export interface BackupRecords {
  /** When the newest whole backup was made, those before a restore aside; null without any. */
  readonly newest: Date | null;
  /** Begun after the newest whole one, and not brought to its end. */
  readonly incomplete: boolean;
  /** When one was last restored and counted; null: never. */
  readonly proven: Date | null;
}

/** Reads the records of a folder; null where there is no such folder. Throws an error of the system where it cannot be read. */
export type ReadBackups = (folder: string) => BackupRecords | null;
