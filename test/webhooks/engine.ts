import { applyDue, type ApplyDeps } from '../../functions/webhooks/apply/apply.ts';
import { accountsOf } from '../../functions/webhooks/apply/accounts.ts';
import { createEffects } from '../../functions/webhooks/apply/effects.ts';
import { parseGrants } from '../../functions/webhooks/apply/grants.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { INBOX, insertEvent } from '../../functions/webhooks/inbox/table.ts';
import { createMarks, type Marks } from '../../functions/webhooks/apply/marks.ts';
import { createOrganizations } from '../../functions/webhooks/apply/organizations.ts';
import type { ZitadelApi } from '../../functions/webhooks/reconcile/zitadel-events.ts';
import { RelationsUnavailable, CountersUnavailable } from '../../shared/errors.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Mark, Revocations } from '../../shared/ports/revocations.ts';
import { webRandom } from '../../shared/runtime.ts';
import { openQueue } from '../../shared/runs/queue.ts';
import { callerOf, userOf } from '../../shared/identity/subjects.ts';
import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';
import { eventOf, ISSUER, type EnvelopeOptions } from './events.ts';

export const GRANTS = parseGrants(
  JSON.stringify([
    { relation: 'member', object: 'organization:{organization}' },
    { relation: 'viewer', object: 'feature:start' },
  ]),
);

/** Tuples in memory, two to a page, with OpenFGA's rules for reads: a continuation dies with the tuple it points at. */
export class MemoryTuples implements Tuples {
  readonly all = new Set<string>();
  away = false;
  /** Called before each call, to count or to break off. */
  before: (call: string) => void = () => undefined;

  async read({ user, object = '' }: Parameters<Tuples['read']>[0]) {
    this.#enter('read');
    const tuples = [...this.all]
      .map((text) => JSON.parse(text) as Tuple)
      .filter((tuple) => (user === undefined || tuple.user === user) && tuple.object.startsWith(object))
      .slice(0, 2);
    return { tuples, next: undefined };
  }

  async write({ writes = [], deletes = [] }: Parameters<Tuples['write']>[0]) {
    this.#enter('write');
    for (const tuple of writes) this.all.add(keyOf(tuple));
    for (const tuple of deletes) this.all.delete(keyOf(tuple));
  }

  async objectTypes() {
    this.#enter('objectTypes');
    return ['organization', 'feature', 'document'];
  }

  #enter(call: string): void {
    this.before(call);
    if (this.away) throw new RelationsUnavailable('away');
  }
}

export function keyOf({ user, relation, object }: Tuple): string {
  return JSON.stringify({ user, relation, object });
}

/** Marks in memory. */
export class MemoryRevocations implements Revocations {
  /** Callers none of whose tokens counts. */
  readonly marked = new Set<string>();
  readonly told = new Map<string, Mark>();
  away = false;
  before: (call: string) => void | Promise<void> = () => undefined;

  async mark(caller: string, mark: Mark) {
    // Infinity is null once it has been JSON.
    const withdrawn = !Number.isFinite(mark.notBefore);
    await this.#enter(withdrawn ? 'revoke' : 'restore');
    const known = this.told.get(caller);
    if (known !== undefined && known.version > mark.version) return;
    this.told.set(caller, mark);
    if (withdrawn) this.marked.add(caller);
    else this.marked.delete(caller);
  }

  async #enter(call: string): Promise<void> {
    await this.before(call);
    if (this.away) throw new CountersUnavailable('away');
  }
}

export interface Engine {
  readonly tuples: MemoryTuples;
  readonly revocations: MemoryRevocations;
  readonly clock: ManualClock;
  readonly marks: Marks;
  readonly lines: string[];
  readonly apply: ApplyDeps;
  arrive(event: EnvelopeOptions): Promise<string>;
  /** Applies whatever is due now. */
  settle(): ReturnType<typeof applyDue>;
}

/** The engine as one instance runs it; `shared`: what other instances share with it. */
export function createEngine(
  database: Pick<Database, 'query' | 'execute'>,
  options: {
    readonly mostAttempts?: number;
    readonly shared?: Engine;
    readonly tuples?: Tuples;
    readonly api?: ZitadelApi;
  } = {},
): Engine {
  const { shared, mostAttempts } = options;
  const tuples = shared?.tuples ?? new MemoryTuples();
  const revocations = shared?.revocations ?? new MemoryRevocations();
  const clock = shared?.clock ?? manualClock();
  const random = webRandom();
  const lines: string[] = [];
  const write = (message: string, fields?: object): void =>
    void lines.push(JSON.stringify({ message, ...fields }));
  const identities = identitiesOf(ISSUER.name, database);
  const marks = createMarks({
    identities,
    revocations,
    clock,
    callerOf: (subject) => callerOf(ISSUER, subject),
    forget: () => undefined,
  });
  const apply: ApplyDeps = {
    queue: openQueue({
      table: INBOX,
      database,
      random,
      now: () => sql`${new Date(clock.now())}::timestamptz`,
      ...(mostAttempts !== undefined && { mostAttempts }),
    }),
    applyEvent: createEffects({
      accounts: accountsOf(ISSUER, database),
      identities,
      marks,
      tuples: options.tuples ?? tuples,
      grants: GRANTS,
      clock,
      organizations: createOrganizations({
        database,
        identities,
        issuer: ISSUER,
        clock,
        random,
        api: options.api ?? null,
      }),
      userOf: (subject) => userOf(ISSUER, subject),
    }),
    log: { debug: write, info: write, warn: write, error: write },
    count: () => undefined,
  };
  return {
    tuples,
    revocations,
    clock,
    marks,
    lines,
    apply,
    arrive: async (event) => (await insertEvent(eventOf(event), { database, clock, random })).id,
    settle: () => applyDue(1_000, apply),
  };
}

/** The tuples that creating these users leaves. */
export function granted(...users: readonly string[]): string[] {
  return users
    .flatMap((user) => [
      keyOf({ user: `user:${user}`, relation: 'member', object: 'organization:org1' }),
      keyOf({ user: `user:${user}`, relation: 'viewer', object: 'feature:start' }),
    ])
    .sort();
}
