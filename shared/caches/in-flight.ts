import type { MaybePromise } from '../ports/runtime.ts';
import type { RelationQuery, Relations } from '../ports/relations.ts';

// Node only: on Workers a request must not await another's promise ("Cannot perform I/O on behalf of a different request").

/** Joins concurrent loads of one key, or runs each alone. `keyOf`: loads with one key have one result. */
export type Collapse = <A, T>(load: (of: A) => Promise<T>, keyOf: (of: A) => string) => (of: A) => Promise<T>;

/** One load per key at a time. */
export const shareInFlight: Collapse = <A, T>(load: (of: A) => Promise<T>, keyOf: (of: A) => string) => {
  const inFlight = new Map<string, Promise<T>>();
  return (of: A) => {
    const key = keyOf(of);
    const running = inFlight.get(key);
    if (running !== undefined) return running;
    const started = load(of).finally(() => inFlight.delete(key));
    inFlight.set(key, started);
    return started;
  };
};

/** The Workers counterpart of `shareInFlight`. */
export const eachAlone: Collapse = (load) => load;

export interface SharedRelations extends Relations {
  /** From now on no check of this user joins one begun before. */
  forget(user: string): void;
}

/** Joins identical concurrent checks. */
export function checksInFlight(inner: Relations): SharedRelations {
  const underway = new Map<string, Map<string, MaybePromise<boolean>>>();
  const start = async (query: RelationQuery, key: string): Promise<boolean> => {
    const mine = underway.get(query.user) ?? new Map<string, MaybePromise<boolean>>();
    const verdict = inner.check(query);
    underway.set(query.user, mine.set(key, verdict));
    try {
      return await verdict;
    } finally {
      mine.delete(key);
      // After forget() the user's later checks are in another map.
      if (mine.size === 0 && underway.get(query.user) === mine) underway.delete(query.user);
    }
  };
  return {
    check(query) {
      const key = keyOf(query);
      return underway.get(query.user)?.get(key) ?? start(query, key);
    },
    ping: () => inner.ping(),
    forget(user) {
      underway.delete(user);
    },
  };
}

/** The Workers counterpart of `checksInFlight`. */
export function checksAlone(inner: Relations): SharedRelations {
  return { check: (query) => inner.check(query), ping: () => inner.ping(), forget: () => undefined };
}

/** A space occurs neither in a relation nor in an object, so it separates them unambiguously. */
function keyOf({ relation, object, consistency = 'fast', context }: RelationQuery): string {
  return `${consistency} ${relation} ${object} ${context === undefined ? '' : stable(context)}`;
}

function stable(context: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(context, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
