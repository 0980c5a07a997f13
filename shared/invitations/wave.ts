import * as z from 'zod';
import { sql, type Sql } from '../ports/database.ts';

/** `starting`: its people are being taken. */
export const WAVE_STATES = ['planned', 'starting', 'running', 'paused', 'done', 'cancelled'] as const;
export type WaveState = (typeof WAVE_STATES)[number];

/** Why an invitation is over. `superseded`: by one of a later wave. */
export type EndReason = 'completed' | 'deleted' | 'excluded' | 'cancelled' | 'superseded';

/** Days that a link counts, from its mail on. */
export const LINK_DAYS = 7;

/** Whom a wave takes. */
export const Cohort = z.object({
  /** Ids; null: all. */
  tenants: z.array(z.string()).nullable(),
  /** 0 to 100, by a stable hash of each person; null: all of them. */
  percent: z.number().nullable(),
  role: z.string().nullable(),
  /** Milliseconds since the last sign-in at most; null: however long. */
  activeWithinMs: z.number().nullable(),
  limit: z.number().nullable(),
});
export type Cohort = Readonly<z.output<typeof Cohort>>;

/** The last person by lot whom a limit takes. */
export const Cut = z.object({ lot: z.number(), user: z.string() });
export type Cut = Readonly<z.output<typeof Cut>>;

export const TRIGGERS = ['bounces', 'complaints', 'failures', 'tickets'] as const;

/** `most`: a share from 0 to 1; of `tickets` a count per 1,000 invited. */
export const Trigger = z.object({ what: z.enum(TRIGGERS), most: z.number() });
export type Trigger = Readonly<z.output<typeof Trigger>>;

export const WaveRow = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(WAVE_STATES),
  cohort: Cohort,
  inviteCode: z.boolean(),
  startAt: z.date(),
  deadline: z.date().nullable(),
  /** As 7d, -3d. */
  remind: z.array(z.string()),
  /** As 60/60s. */
  rate: z.string().nullable(),
  stopWhen: z.array(Trigger),
  judgedSince: z.date().nullable(),
  pauseReason: z.string().nullable(),
  cut: Cut.nullable(),
  /** The last user by id who was looked at when its people were taken; null: nobody yet. */
  takenTo: z.string().nullable(),
  /** The last invitation by id that the job has looked through; null: all of them. */
  sweptTo: z.string().nullable(),
  /** People taken so far. */
  taken: z.number(),
  createdAt: z.date(),
  startedAt: z.date().nullable(),
  endedAt: z.date().nullable(),
});
export type Wave = Readonly<z.output<typeof WaveRow>>;

/** Columns of a Wave, over `sallyport_waves w`. */
export const WAVE: Sql = sql`
  w.wave_id as id, w.name, w.state, w.cohort, w.invite_code as "inviteCode", w.start_at as "startAt", w.deadline, w.remind, w.rate,
  w.stop_when as "stopWhen", w.judged_since as "judgedSince", w.pause_reason as "pauseReason", w.cut, w.taken_to as "takenTo", w.taken, w.swept_to as "sweptTo", w.created_at as "createdAt",
  w.started_at as "startedAt", w.ended_at as "endedAt"`;

/** In sallyport_switches and in `heldBy` of its mails: stands while the wave is paused. */
export function waveSwitch(id: string): string {
  return `wave ${id}`;
}
