import { auditInsert, type AuditEntry } from '../people/audit.ts';
import { json, sql, UniqueViolation, type Database, type Sql } from '../ports/database.ts';
import { WAVE, WaveRow, waveSwitch, type Cohort, type Trigger, type Wave, type WaveState } from './wave.ts';

export interface NewWave {
  readonly name: string;
  readonly cohort: Cohort;
  readonly inviteCode: boolean;
  readonly startAt: Date;
  readonly deadline: Date | null;
  readonly remind: readonly string[];
  readonly rate: string | null;
  readonly stopWhen: readonly Trigger[];
}

/** Who changes a wave, for the audit: the operator, or the name of a job. */
export type By = Pick<AuditEntry, 'who' | 'from'>;

/** Another wave has this name, or had it. */
export class WaveNameTaken extends Error {
  override readonly name = 'WaveNameTaken';
}

/** Plans a wave. Throws WaveNameTaken, and as `Database`. */
export async function createWave(database: Pick<Database, 'execute'>, wave: NewWave, by: By): Promise<void> {
  try {
    await database.execute(sql`
      with planned as (
        insert into sallyport_waves (name, cohort, invite_code, start_at, deadline, remind, rate, stop_when)
        values (${wave.name}, ${json(wave.cohort)}::jsonb, ${wave.inviteCode}, ${wave.startAt}, ${wave.deadline},
          ${json(wave.remind)}::jsonb, ${wave.rate}, ${json(wave.stopWhen)}::jsonb)
        returning name
      ) ${recorded(by, wave.name, 'created', sql`planned`)}`);
  } catch (error) {
    if (error instanceof UniqueViolation) throw new WaveNameTaken(`there is a wave ${wave.name} already`);
    throw error;
  }
}

/** Throws as `Database`. */
export async function findWave(database: Pick<Database, 'query'>, name: string): Promise<Wave | undefined> {
  const [wave] = await selectWaves(database, sql`w.name = ${name}`);
  return wave;
}

/** In order of their start; `states`: only those in one of them. Throws as `Database`. */
export function listWaves(database: Pick<Database, 'query'>, states?: readonly WaveState[]): Promise<Wave[]> {
  return selectWaves(database, states === undefined ? sql`true` : sql`w.state = any(${states})`);
}

/** Planned ones whose time has come, by the database's clock, and those that were cut off while they started. Throws as `Database`. */
export function dueWaves(database: Pick<Database, 'query'>): Promise<Wave[]> {
  return selectWaves(database, sql`(w.state = 'planned' and w.start_at <= now()) or w.state = 'starting'`);
}

function selectWaves(database: Pick<Database, 'query'>, where: Sql): Promise<Wave[]> {
  return database.query(
    sql`select ${WAVE} from sallyport_waves w where ${where} order by w.start_at, w.name`,
    WaveRow,
  );
}

/** Keeps how far a wave's invitations were looked through; null: to the end. Throws as `Database`. */
export async function keepSwept(
  database: Pick<Database, 'execute'>,
  { id }: Pick<Wave, 'id'>,
  sweptTo: string | null,
): Promise<void> {
  await database.execute(
    sql`update sallyport_waves set swept_to = ${sweptTo}::uuid where wave_id = ${id}::uuid and swept_to is distinct from ${sweptTo}::uuid`,
  );
}

/** Stops the mails of a running wave, those in the outbox too. False when it does not run. Throws as `Database`. */
export async function pauseWave(
  database: Pick<Database, 'execute'>,
  { id, name }: Pick<Wave, 'id' | 'name'>,
  reason: string | null,
  by: By,
): Promise<boolean> {
  const changed = await database.execute(sql`
    with paused as (
      update sallyport_waves set state = 'paused', pause_reason = ${reason}
      where wave_id = ${id}::uuid and state = 'running' returning wave_id
    ), switched as (
      insert into sallyport_switches (name, who) select ${waveSwitch(id)}, ${by.who} from paused on conflict do nothing
    ), audited as (${recorded(by, name, 'paused', sql`paused`, reason)})
    select from paused`);
  return changed > 0;
}

/** Goes on with a paused wave; what pauses it counts anew. False when it is not paused. Throws as `Database`. */
export async function resumeWave(
  database: Pick<Database, 'execute'>,
  { id, name }: Pick<Wave, 'id' | 'name'>,
  by: By,
): Promise<boolean> {
  const changed = await database.execute(sql`
    with resumed as (
      update sallyport_waves set state = 'running', pause_reason = null, judged_since = now()
      where wave_id = ${id}::uuid and state = 'paused' returning wave_id
    ), switched as (
      delete from sallyport_switches where name = ${waveSwitch(id)} and exists (select from resumed)
    ), audited as (${recorded(by, name, 'resumed', sql`resumed`)})
    select from resumed`);
  return changed > 0;
}

/** Invitations that one statement ends. */
const ENDED_AT_ONCE = 10_000;

/**
 * Ends a wave that is not over: nothing more is mailed, and its deadline binds nobody. Links that were mailed go on working until they
 * expire. Called again, it goes on where it was cut off. False when the wave is over otherwise. Throws as `Database`.
 */
export async function cancelWave(
  database: Pick<Database, 'execute' | 'transaction'>,
  { id, name }: Pick<Wave, 'id' | 'name'>,
  by: By,
): Promise<boolean> {
  const ours = sql`exists (select from sallyport_waves where wave_id = ${id}::uuid and state = 'cancelled' and ended_at = now())`;
  const pending = sql`select message_id from sallyport_invitation_steps where wave_id = ${id}::uuid and settled_at is null`;
  const results = await database.transaction([
    sql`update sallyport_waves set state = 'cancelled', ended_at = now()
        where wave_id = ${id}::uuid and state in ('planned', 'starting', 'running', 'paused')`,
    // Without its lease an attempt under way stops before the end of the message.
    sql`update sallyport_outbox set status = 'dead', last_error = 'the wave was cancelled', content = null, lease_id = null, lease_until = null
        where message_id in (${pending}) and status = 'pending' and ${ours}`,
    sql`delete from sallyport_switches where name = ${waveSwitch(id)} and ${ours}`,
    sql`with cancelled as (select where ${ours}) ${recorded(by, name, 'cancelled', sql`cancelled`)}`,
  ]);
  // Nobody is in a wave that was cancelled: those who are not reached yet are as free as the others.
  while ((await database.execute(notMailed(id))) === ENDED_AT_ONCE);
  return results[0]?.count === 1;
}

function notMailed(id: string): Sql {
  return sql`update sallyport_invitations set ended_at = now(), end_reason = 'cancelled'
    where ended_at is null and invitation_id in (
      select i.invitation_id from sallyport_invitations i join sallyport_waves w on w.wave_id = i.wave_id
      where i.wave_id = ${id}::uuid and i.ended_at is null and i.queued_at is null and w.state = 'cancelled' limit ${ENDED_AT_ONCE}::int)`;
}

/** Ends a running wave that has nothing left to do. Throws as `Database`. */
export async function endWave(
  database: Pick<Database, 'execute'>,
  { id, name }: Pick<Wave, 'id' | 'name'>,
  by: By,
): Promise<boolean> {
  const changed = await database.execute(sql`
    with ended as (
      update sallyport_waves set state = 'done', ended_at = now() where wave_id = ${id}::uuid and state = 'running' returning wave_id
    ), audited as (${recorded(by, name, 'done', sql`ended`)})
    select from ended`);
  return changed > 0;
}

export type Change = 'created' | 'started' | 'paused' | 'resumed' | 'cancelled' | 'done';

/** An insert of the audit's row, for each row of the CTE `when`. */
export function recorded(by: By, wave: string, change: Change, when: Sql, reason: string | null = null): Sql {
  const detail = { wave, change, ...(reason !== null && { reason }) };
  return auditInsert({ ...by, what: 'wave', detail }, when);
}
