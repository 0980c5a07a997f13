import type { Mark } from '../ports/revocations.ts';

/** Retention of a mark: a suspended or removed user gets no new token, so it only has to outlive the old ones. */
export const MARK_SECONDS = 30 * 24 * 3_600;

/** Version of a mark written before marks had versions: any other is newer. */
export const UNVERSIONED = Number.NEGATIVE_INFINITY;

export type VisitMark = (caller: string, mark: Mark) => Promise<void>;

/** The durable store of marks. Both methods throw as that store does. */
export interface MarkSource {
  /** Visits the marks of all callers changed since `timeMs` (milliseconds since the epoch). */
  since(timeMs: number, visit: VisitMark): Promise<void>;
  of(caller: string): Promise<Mark | undefined>;
}

/** Several sources as one. */
export function allOf(sources: readonly MarkSource[]): MarkSource {
  return {
    async since(timeMs, visit) {
      for (const source of sources) await source.since(timeMs, visit);
    },
    async of(caller) {
      for (const source of sources) {
        const mark = await source.of(caller);
        if (mark !== undefined) return mark;
      }
      return undefined;
    },
  };
}

interface Known {
  mark: Mark;
  untilMs: number;
  /** When it was learned here. */
  sinceMs: number;
}

const FIRST_PRUNE = 1_024;

/** Whether the mark withdraws a token issued at `issuedAt` (ms). A token without `iat` cannot be newer than the mark. */
export function isWithdrawn(mark: Mark | undefined, issuedAt: number | undefined): boolean {
  return mark !== undefined && mark.notBefore > 0 && !((issuedAt ?? 0) > mark.notBefore);
}

/** The marks held by this process. They only expire: an evicted one would let a revoked caller in. */
export class KnownMarks {
  readonly #known = new Map<string, Known>();
  #pruneAt = FIRST_PRUNE;

  of(caller: string, nowMs: number): Mark | undefined {
    if (this.#known.size === 0) return undefined;
    const known = this.#known.get(caller);
    return known !== undefined && known.untilMs > nowMs ? known.mark : undefined;
  }

  learn(caller: string, mark: Mark, seconds: number, nowMs: number): void {
    const untilMs = nowMs + seconds * 1_000;
    const known = this.#known.get(caller);
    if (known !== undefined && known.untilMs > nowMs) {
      if (mark.version < known.mark.version) return;
      known.untilMs = Math.max(untilMs, known.untilMs);
      if (mark.version === known.mark.version && mark.notBefore === known.mark.notBefore) return;
      known.mark = mark;
      known.sinceMs = nowMs;
      return;
    }
    if (this.#known.size >= this.#pruneAt) this.#prune(nowMs);
    this.#known.set(caller, { mark, untilMs, sinceMs: nowMs });
  }

  /** Marks learned since `timeMs`, with their remaining seconds. */
  *learnedSince(timeMs: number, nowMs: number): Generator<readonly [string, Mark, number]> {
    for (const [caller, { mark, untilMs, sinceMs }] of this.#known)
      if (sinceMs >= timeMs && untilMs > nowMs) yield [caller, mark, (untilMs - nowMs) / 1_000];
  }

  #prune(nowMs: number): void {
    for (const [caller, { untilMs }] of this.#known) if (untilMs <= nowMs) this.#known.delete(caller);
    this.#pruneAt = Math.max(FIRST_PRUNE, this.#known.size * 2);
  }
}
