import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { transformer } from '@openfga/syntax-transformer';
import { openArchive } from '../../functions/feature-sync/archive.ts';
import { openRuns } from '../../functions/feature-sync/runs.ts';
import type { SyncDeps } from '../../functions/feature-sync/sync.ts';
import { openFgaStores } from '../../shared/adapters/models-openfga.ts';
import { openFgaClient } from '../../shared/adapters/openfga-client.ts';
import { openFgaTuples } from '../../shared/adapters/tuples-openfga.ts';
import { authorizationModelSchema } from '../../shared/authorization-models.ts';
import type { Database } from '../../shared/database.ts';
import type { Tuple, Tuples } from '../../shared/tuples.ts';
import { show } from './memory.ts';

export interface Ground {
  readonly storeId: string;
  readonly tuples: Tuples;
  readonly database: Database;
  fill(tuples: readonly Tuple[]): Promise<void>;
  /** Every tuple of the store, sorted. */
  shown(): Promise<string[]>;
  /** A process of its own: `crash` is called before each of its calls and may throw. */
  process(crash?: () => void): SyncDeps;
}

/** A new store with the project's model, beside a database with the tables. */
export async function openGround(fgaUrl: string, database: Database): Promise<Ground> {
  const config = { url: fgaUrl, apiToken: null };
  const stores = openFgaStores(config);
  const storeId = await stores.create('feature-sync');
  const models = stores.models(storeId);
  const dsl = await readFile('config/model.fga', 'utf8');
  await models.write(authorizationModelSchema.parse(transformer.transformDSLToJSONObject(dsl)));
  const tuples = openFgaTuples(openFgaClient({ ...config, storeId, modelId: null }));
  return {
    storeId,
    tuples,
    database,
    async fill(all) {
      for (let at = 0; at < all.length; at += 100) await tuples.write({ writes: all.slice(at, at + 100) });
    },
    async shown() {
      const found: string[] = [];
      for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
        const page = await tuples.read({}, next);
        found.push(...page.tuples.map(show));
        next = page.next;
      }
      return found.sort();
    },
    process(crash = () => undefined) {
      // Nothing of a killed process runs on, not even its finally blocks: so the lease runs out at once.
      const mortal: Database = {
        ...database,
        query: (statement, row) => dying(crash, () => database.query(statement, row)),
        execute: (statement) => dying(crash, () => database.execute(statement)),
      };
      return {
        tuples: {
          read: (filter, next) => dying(crash, () => tuples.read(filter, next)),
          write: (changes) => dying(crash, () => tuples.write(changes)),
        },
        models,
        runs: openRuns(mortal, randomUUID(), 0),
        archive: openArchive(mortal),
        random: { uuid: randomUUID },
        patience: { waitMs: 0, sleep: () => Promise.resolve() },
        onProgress: () => undefined,
      };
    },
  };
}

/** Dies before the call, or after it was carried out and before its answer came. */
async function dying<T>(crash: () => void, call: () => Promise<T>): Promise<T> {
  crash();
  const answer = await call();
  crash();
  return answer;
}

export class Killed extends Error {}

/** Throws from the given call on, forever. */
export function killAt(point: number): () => void {
  let calls = 0;
  return () => {
    calls += 1;
    if (calls >= point) throw new Killed();
  };
}

export function countCalls(): { readonly crash: () => void; readonly count: () => number } {
  let calls = 0;
  return { crash: () => void (calls += 1), count: () => calls };
}
