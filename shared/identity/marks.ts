import type { Mark } from '../ports/revocations.ts';

/** How long a mark is kept: a suspended or removed user gets no new token, so it only has to outlive the old ones. */
export const MARK_SECONDS = 30 * 24 * 3_600;

/** Of a mark that was written before marks had versions: any other is newer. */
export const UNVERSIONED = Number.NEGATIVE_INFINITY;

export type Tell = (caller: string, mark: Mark) => Promise<void>;

/** Where marks are kept for good. Both throw as their store does. */
export interface MarkSource {
  /** Tells the marks of all callers that changed since then, in milliseconds since the epoch. */
  since(timeMs: number, tell: Tell): Promise<void>;
  of(caller: string): Promise<Mark | undefined>;
}

interface Known {
  mark: Mark;
  untilMs: number;
  /** When it became known here. */
  sinceMs: number;
}

const FIRST_PRUNE = 1_024;

/** Whether the mark withdraws a token issued then. A token without `iat` cannot be newer than the mark. */
export function isWithdrawn(mark: Mark | undefined, issuedAt: number | undefined): boolean {
  return mark !== undefined && mark.notBefore > 0 && !((issuedAt ?? 0) > mark.notBefore);
}

/** The marks that this process knows of. They only expire: an evicted one would let a revoked caller in. */
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

  /** Those learned since then, with the seconds they are still to be kept. */
  *learnedSince(timeMs: number, nowMs: number): Generator<readonly [string, Mark, number]> {
    for (const [caller, { mark, untilMs, sinceMs }] of this.#known)
      if (sinceMs >= timeMs && untilMs > nowMs) yield [caller, mark, (untilMs - nowMs) / 1_000];
  }

  #prune(nowMs: number): void {
    for (const [caller, { untilMs }] of this.#known) if (untilMs <= nowMs) this.#known.delete(caller);
    this.#pruneAt = Math.max(FIRST_PRUNE, this.#known.size * 2);
  }
}
