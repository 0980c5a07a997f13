import * as z from 'zod';
import { WAVE_STATES } from '../invitations/wave.ts';
import { sql, type Sql } from '../ports/database.ts';
import { uuidOf } from '../uuid.ts';
import { readRows, time, type Reads, type Rows } from './read.ts';
import { scopeId, type Scope } from './scope.ts';

const count = z.number();
const WaveFigures = z.object({
  wave_id: z.string(),
  name: z.string(),
  state: z.enum(WAVE_STATES),
  start_at: time,
  deadline: time.nullable(),
  /** Why it paused by itself. It tells of the whole wave, so that a tenant alone does not get it. */
  pause_reason: z.string().nullable(),
  invited: count,
  delivered: count,
  seen: count,
  accepted: count,
  completed: count,
});
export type WaveFigures = z.output<typeof WaveFigures>;

const MOST = 200;

/**
 * Waves, the newest first, with the people who have reached each step. A tenant gets those that have invited people of its own.
 * Throws as `Database`.
 */
export async function readWaves(database: Reads, scope: Scope): Promise<Rows<WaveFigures>> {
  const all = scope === 'all';
  const of = (step: string): Sql => sql`coalesce(sum(f.n) filter (where f.step = ${step}), 0)`;
  return readRows(
    database,
    sql`select w.wave_id, w.name, w.state, w.start_at, w.deadline,
          case when ${all}::boolean then w.pause_reason end as pause_reason,
          coalesce(s.invited, 0) as invited, coalesce(s.delivered, 0) as delivered, coalesce(s.seen, 0) as seen,
          coalesce(s.accepted, 0) as accepted, coalesce(s.completed, 0) as completed
        from sallyport_waves w left join (
          select f.wave_id, ${of('invited')} as invited, ${of('delivered')} as delivered, ${of('seen')} as seen,
            ${of('accepted')} as accepted, ${of('completed')} as completed
          from sallyport_figures_funnel f where f.scope = ${scopeId(scope)}::uuid group by f.wave_id
        ) s on s.wave_id = w.wave_id
        where ${all}::boolean or s.invited > 0
        order by w.start_at desc, w.name limit ${MOST}`,
    WaveFigures,
  );
}

/** The id of a wave, by its name or its id; undefined for none. Throws as `Database`. */
export async function waveOf(database: Reads, named: string): Promise<string | undefined> {
  const [wave] = await database.query(
    sql`select wave_id as id from sallyport_waves where name = ${named}::text or wave_id = ${uuidOf(named)}::uuid`,
    z.object({ id: z.string() }),
  );
  return wave?.id;
}
