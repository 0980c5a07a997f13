import * as z from 'zod';
import { json, sql, type Database } from '../../shared/ports/database.ts';
import { tupleSchema, type Tuple } from '../../shared/ports/tuples.ts';
import type { Lease } from '../../shared/runs/lease.ts';
import type { Snapshot } from './effects.ts';

/** Rows per statement: bounds its parameter, not the run. */
const ROWS = 1_000;
const PAGE = 10_000;

const archived = z
  .object({
    object: z.string(),
    relation: z.string(),
    subject: z.string(),
    condition: tupleSchema.shape.condition.nullable(),
  })
  .transform(({ object, relation, subject, condition }): Tuple => ({
    user: subject,
    relation,
    object,
    ...(condition !== null && condition !== undefined && { condition }),
  }));

/** The tuples of a run's features before it. */
export interface Archive {
  /** Upserts: an archived tuple gets its new condition. */
  add(runId: string, tuples: readonly Tuple[], onRows?: (count: number) => void): Promise<void>;
  forget(runId: string, tuples: readonly Tuple[]): Promise<void>;
  /** Has an entry for each of `features`, possibly empty. */
  load(runId: string, features: readonly string[]): Promise<Snapshot>;
}

/** Each write depends on the lease, and renews it; throws LeaseLost. */
export function openArchive(database: Pick<Database, 'query'>, lease: Pick<Lease, 'write'>): Archive {
  return {
    async add(runId, tuples, onRows = () => undefined) {
      for (let at = 0; at < tuples.length; at += ROWS) {
        await lease.write(sql`
          insert into sallyport_feature_archive (run_id, object, relation, subject, condition)
          select distinct on (object, relation, "user") ${runId}::uuid, object, relation, "user", condition
          from jsonb_to_recordset(${json(tuples.slice(at, at + ROWS))}::jsonb)
            as t (object text, relation text, "user" text, condition jsonb)
          where exists (select from held)
          on conflict (run_id, object, relation, subject) do update set condition = excluded.condition`);
        onRows(Math.min(at + ROWS, tuples.length));
      }
    },
    async forget(runId, tuples) {
      for (let at = 0; at < tuples.length; at += ROWS) {
        await lease.write(sql`
          delete from sallyport_feature_archive a
          using jsonb_to_recordset(${json(tuples.slice(at, at + ROWS))}::jsonb)
            as t (object text, relation text, "user" text)
          where a.run_id = ${runId} and a.object = t.object and a.relation = t.relation and a.subject = t."user"
            and exists (select from held)`);
      }
    },
    async load(runId, features) {
      const snapshot = new Map(features.map((feature): [string, Tuple[]] => [feature, []]));
      let last: Tuple | undefined;
      do {
        const page: Tuple[] = await database.query(pageAfter(runId, last), archived);
        for (const tuple of page) snapshot.get(tuple.object)?.push(tuple);
        last = page.length < PAGE ? undefined : page.at(-1);
      } while (last !== undefined);
      return snapshot;
    },
  };
}

function pageAfter(runId: string, last: Tuple | undefined): ReturnType<typeof sql> {
  const from =
    last === undefined
      ? sql`true`
      : sql`(object, relation, subject) > (${last.object}, ${last.relation}, ${last.user})`;
  return sql`select object, relation, subject, condition from sallyport_feature_archive
    where run_id = ${runId} and ${from} order by object, relation, subject limit ${PAGE}::int`;
}

/**
 * For the lease holder: no other process changes the archive meanwhile, so a loaded snapshot stays cached until a change
 * of its own.
 */
export function rememberedArchive(archive: Archive): Archive {
  let loaded: { readonly key: string; readonly snapshot: Snapshot } | undefined;
  return {
    async add(runId, tuples, onRows) {
      loaded = undefined;
      await archive.add(runId, tuples, onRows);
    },
    async forget(runId, tuples) {
      loaded = undefined;
      await archive.forget(runId, tuples);
    },
    async load(runId, features) {
      const key = JSON.stringify([runId, features]);
      if (loaded?.key === key) return loaded.snapshot;
      const snapshot = await archive.load(runId, features);
      loaded = { key, snapshot };
      return snapshot;
    },
  };
}
