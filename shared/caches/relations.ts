import { OwnedCache } from './owned.ts';
import type { Clock, MaybePromise } from '../ports/runtime.ts';
import type { RelationQuery, Relations } from '../ports/relations.ts';

export interface DecisionCacheOptions {
  /** Store and model: decisions of one never answer for another. */
  readonly scope: string;
  /** 0 = remember nothing. */
  readonly allowTtlMs: number;
  readonly clock: Clock;
  readonly maxEntries?: number;
}

/** Relations that also forget: for the moment a user's rights change. */
export interface CachedRelations extends Relations {
  forget(user: string): void;
}

interface Entry {
  readonly allowed: boolean;
  readonly until: number;
}

// A new grant must not stay refused for long: denials are kept only to blunt a flood.
const DENY_TTL_MS = 5_000;

/** Remembers verdicts; never an error. A `fresh` query is always asked, and its answer kept. */
export function cachedRelations(
  inner: Relations & Partial<CachedRelations>,
  options: DecisionCacheOptions,
): CachedRelations {
  const { scope, allowTtlMs, clock } = options;
  if (allowTtlMs <= 0) return { ...passThrough(inner), forget: (user) => inner.forget?.(user) };
  const denyTtlMs = Math.min(DENY_TTL_MS, allowTtlMs);
  const entries = new OwnedCache<Entry>(options.maxEntries ?? 50_000);

  const ask = (query: RelationQuery, key: string): Promise<boolean> =>
    entries.asking(async (keep) => {
      const allowed = await inner.check(query);
      keep(key, query.user, { allowed, until: clock.now() + (allowed ? allowTtlMs : denyTtlMs) });
      return allowed;
    });

  return {
    check(query): MaybePromise<boolean> {
      const key = keyOf(scope, query);
      const entry = query.consistency === 'fresh' ? undefined : entries.get(key);
      if (entry !== undefined && clock.now() < entry.until) return entry.allowed;
      return ask(query, key);
    },
    ping: () => inner.ping(),
    forget(user) {
      inner.forget?.(user);
      entries.forget(user);
    },
  };
}

/**
 * Identical checks under way at the same time become one. Node only: on Workers a promise of one request
 * cannot be awaited by another.
 */
export function sharedInFlight(inner: Relations): CachedRelations {
  const underway = new Map<string, Map<string, MaybePromise<boolean>>>();
  const ask = async (query: RelationQuery, key: string): Promise<boolean> => {
    const mine = underway.get(query.user) ?? new Map<string, MaybePromise<boolean>>();
    const verdict = inner.check(query);
    underway.set(query.user, mine.set(key, verdict));
    try {
      return await verdict;
    } finally {
      mine.delete(key);
      // After forget() the user's later questions stand in another map.
      if (mine.size === 0 && underway.get(query.user) === mine) underway.delete(query.user);
    }
  };
  return {
    check(query) {
      const key = `${query.consistency ?? 'fast'} ${keyOf('', query)}`;
      return underway.get(query.user)?.get(key) ?? ask(query, key);
    },
    ping: () => inner.ping(),
    // Nobody joins a question that was asked before the rights changed.
    forget(user) {
      underway.delete(user);
    },
  };
}

/** Space cannot occur in a user, a relation or an object, so it parts them without ambiguity. */
function keyOf(scope: string, query: RelationQuery): string {
  const key = `${scope} ${query.user} ${query.relation} ${query.object}`;
  return query.context === undefined ? key : `${key} ${stable(query.context)}`;
}

function stable(context: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(context, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

function passThrough(inner: Relations): Relations {
  return { check: (query) => inner.check(query), ping: () => inner.ping() };
}
