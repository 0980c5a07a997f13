import { json, sql, type Database, type Sql } from '../ports/database.ts';

/** What is recorded, by its name in `sallyport audit list --what`. */
export type AuditedAct =
  | 'signed_in'
  | 'sign_in_refused'
  /** Given up at the provider. */
  | 'sign_in_cancelled'
  | 'signed_out'
  | 'session_ended'
  | 'refresh_reused'
  | 'refresh_refused'
  | 'account_locked'
  | 'password_changed'
  | 'password_reset_requested'
  | 'password_reset'
  | 'registration_requested'
  | 'registered'
  | 'linked'
  | 'link_refused'
  | 'provisioned'
  | 'run'
  | 'rollback'
  | 'deadline'
  | 'excluded'
  | 'included'
  | 'confirmed'
  | 'paused'
  | 'resumed'
  /** Its detail has the wave and the change. */
  | 'wave'
  | 'invited'
  | 'invitation_accepted'
  | 'unsubscribed'
  /** Reminders wait for a week. */
  | 'later'
  /** No mail reaches the person any more. */
  | 'unreachable'
  /** A backup was read for the clean-up. */
  | 'backup_checked'
  | 'cleaned_up'
  | 'cleanup_restored'
  /** Erased: of its subject the audit has ids alone. */
  | 'forgotten';

/** One row of the append-only record. No secrets and no addresses of mail: it outlives the user. */
export interface AuditEntry {
  /** A user's id, `anonymous`, or the operator of a command. */
  readonly who: string;
  readonly what: AuditedAct;
  /** The user it is about. */
  readonly subject?: string | null | undefined;
  /** An address, or `cli`. */
  readonly from: string;
  /** The id of a run or of a request. */
  readonly run?: string | null | undefined;
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/**
 * An insert of the row, for a statement's CTE. `when`: a CTE without whose rows none is written; one row is written for each.
 * `whose`: the subject as an expression over those.
 */
export function auditInsert(entry: AuditEntry, when?: Sql, whose?: Sql): Sql {
  const { who, what, subject = null, from, run = null, detail = {} } = entry;
  const values = sql`${who}::text, ${what}::text, ${whose ?? sql`${subject}::uuid`}, ${from}::text, ${run}::text, ${json(detail)}::jsonb`;
  const source = when === undefined ? sql`` : sql` from ${when}`;
  return sql`insert into sallyport_audit (who, what, subject, source, run, detail) select ${values}${source}`;
}

/** Throws as `Database`. */
export async function audit(database: Pick<Database, 'execute'>, entry: AuditEntry): Promise<void> {
  await database.execute(auditInsert(entry));
}

/** Days that a row is kept: longer than a year, so that a yearly review finds the one before. */
export const AUDIT_DAYS = 400;
