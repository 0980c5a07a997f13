import type { PeopleDeps } from './deps.ts';
import type { Ledger, Resolution } from './ledger.ts';
import { allOf, makeAccounts, type MakeDeps } from './make.ts';
import { candidates, type Scope, type User } from './people.ts';
import type { LeftOut } from './plan.ts';
import type { ProvisionPlan } from './run.ts';

/** How many more people may be handed over. */
export function roomOf({ limit }: ProvisionPlan, counts: Awaited<ReturnType<Ledger['counts']>>): number {
  if (limit === null) return Infinity;
  const { created = 0, linked = 0, failed = 0, removed = 0 } = counts;
  return Math.max(0, limit - created - linked - failed - removed);
}

export interface Chosen {
  readonly leftOut: readonly LeftOut[];
  readonly count: number;
  readonly tenants: ReadonlySet<string>;
}

/** Who is handed over to the provider, by number and tenant, and who is left out of the same users. */
export async function choose(
  scope: Scope,
  runId: string,
  leftOut: ReadonlyMap<string, LeftOut>,
  room: number,
  { database }: PeopleDeps,
): Promise<Chosen> {
  const left: LeftOut[] = [];
  const tenants = new Set<string>();
  let count = 0;
  for await (const user of candidates(database, scope, runId)) {
    const out = leftOut.get(user.id);
    if (out !== undefined) left.push(out);
    else if (count < room) {
      count += 1;
      tenants.add(user.tenantId);
    }
  }
  return { leftOut: left, count, tenants };
}

export function toResolution({ user, state, reason }: LeftOut): Resolution {
  return { userId: user.id, state, account: null, reason };
}

interface Work {
  readonly scope: Scope;
  readonly runId: string;
  readonly leftOut: ReadonlyMap<string, LeftOut>;
  readonly existing: ReadonlySet<string>;
  readonly room: number;
  readonly make: MakeDeps;
}

/** People per intention: enough for all calls at a time to be busy, few enough to be written often. */
const CHUNK = 2;
/** While the calls of one chunk are under way, others are written to the ledger. */
const LANES = 3;

export async function handOver(work: Work, ledger: Ledger, deps: PeopleDeps): Promise<void> {
  const { make, room, existing } = work;
  const size = make.traits.batch * (deps.concurrency ?? make.traits.concurrency) * CHUNK;
  const chunks = inChunks(chosenOf(work, deps), Math.max(100, Math.min(400, size)));
  let done = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    for (;;) {
      deps.signal.throwIfAborted();
      const next = await chunks.next();
      if (next.done === true || failed) return;
      try {
        await makeAccounts(await ledger.intend(next.value, existing), make);
      } catch (error) {
        failed = true;
        throw error;
      }
      done += next.value.length;
      deps.onProgress(done, room);
    }
  };
  deps.onProgress(0, room);
  await allOf(Array.from({ length: LANES }, lane));
}

async function* chosenOf(
  { scope, runId, leftOut, room }: Work,
  { database }: PeopleDeps,
): AsyncGenerator<User> {
  let left = room;
  for await (const user of candidates(database, scope, runId)) {
    if (left === 0) return;
    if (leftOut.has(user.id)) continue;
    left -= 1;
    yield user;
  }
}

async function* inChunks(users: AsyncIterable<User>, size: number): AsyncGenerator<string[]> {
  let chunk: string[] = [];
  for await (const { id } of users) {
    chunk.push(id);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
