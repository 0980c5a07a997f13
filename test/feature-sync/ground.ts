import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { transformer } from '@openfga/syntax-transformer';
import { removedUsers } from '../../cli/rules/sync-deps.ts';
import { openFeatureSync } from '../../functions/feature-sync/function.ts';
import type { RestoreDeps } from '../../functions/feature-sync/restore.ts';
import type { SyncDeps } from '../../functions/feature-sync/sync.ts';
import { openFgaStores } from '../../shared/adapters/openfga/models.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import {
  authorizationModelSchema,
  type AuthorizationModel,
} from '../../shared/ports/authorization-models.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import { show } from './memory.ts';

const parsed = (dsl: string): AuthorizationModel =>
  authorizationModelSchema.parse(transformer.transformDSLToJSONObject(dsl));

/** Parsed once: tests open many stores. */
const projectModel = readFile('config/model.fga', 'utf8').then(parsed);

/** Many processes of a test are one. */
export const UNKNOWN_PROCESSES = { own: null, isDead: () => false };

/** How a process reaches the services. */
export interface Via {
  readonly fgaUrl: string;
  readonly database: Database;
}

export interface Ground {
  readonly storeId: string;
  readonly tuples: Tuples;
  readonly database: Database;
  fill(tuples: readonly Tuple[]): Promise<void>;
  /** Every tuple of the store, sorted. */
  shown(): Promise<string[]>;
  /** A process of its own: `crash` is called around each of its calls and may throw; `via` leads elsewhere. */
  process(crash?: () => void, via?: Via): SyncDeps & RestoreDeps;
}

/** A new store with the project's model or one's own, beside a database with the tables. */
export async function openGround(fgaUrl: string, database: Database, dsl?: string): Promise<Ground> {
  const stores = openFgaStores({ url: fgaUrl, apiToken: null }, undiciExchange);
  const storeId = await stores.create('feature-sync');
  await stores.models(storeId).write(dsl === undefined ? await projectModel : parsed(dsl));
  const tuplesAt = (url: string): Tuples =>
    openFgaTuples(openFgaClient({ url, apiToken: null, storeId, modelId: null }, undiciExchange));
  const tuples = tuplesAt(fgaUrl);
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
    process(crash = () => undefined, via = { fgaUrl, database }) {
      const reached = tuplesAt(via.fgaUrl);
      // Nothing of a killed process runs on, not even its finally blocks: so the lease runs out at once.
      const mortal: Database = {
        ...via.database,
        query: (statement, row) => dying(crash, () => via.database.query(statement, row)),
        execute: (statement) => dying(crash, () => via.database.execute(statement)),
      };
      const mortalTuples: Pick<Tuples, 'read' | 'write'> = {
        read: (filter, next) => dying(crash, () => reached.read(filter, next)),
        write: (changes) => dying(crash, () => reached.write(changes)),
      };
      const sync = openFeatureSync({
        tuples: mortalTuples,
        models: openFgaStores({ url: via.fgaUrl, apiToken: null }, undiciExchange).models(storeId),
        database: mortal,
        random: { uuid: randomUUID },
        processes: UNKNOWN_PROCESSES,
        patience: { waitMs: 0, sleep: () => Promise.resolve() },
        onProgress: () => undefined,
        leaseMs: 0,
      });
      return { ...sync, removed: removedUsers(mortal, ['zitadel']) };
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
