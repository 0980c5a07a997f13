import { ProviderUnavailable } from '../../shared/errors.ts';
import { PAGE, type EventSource, type ListedEvent } from './zitadel-events.ts';

/** Events are listed in the order of commits, while their dates are of the moment before: neighbours may be swapped. */
const SWAP_MS = 1_000;
/** Dates are finer than the milliseconds kept of them. */
const TICK_MS = 1;

/** Every event after `since`, each once, in pages; ends early when the signal is aborted. Throws ProviderUnavailable. */
export async function* pagesSince(
  source: EventSource,
  since: Date,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedEvent[]> {
  let from = since.getTime();
  let known: ReadonlySet<string> = new Set();
  let margin = SWAP_MS;
  while (!signal.aborted) {
    const page = await source.after(new Date(from));
    const unseen = page.filter((event) => !known.has(keyOf(event)));
    if (unseen.length > 0) yield unseen;
    if (page.length < PAGE) return;
    // A page of nothing new: more events than a page holds share the margin, so the next question does without it.
    if (unseen.length === 0 && margin === 0) throw new ProviderUnavailable(CROWDED);
    margin = unseen.length === 0 ? 0 : SWAP_MS;
    from = Math.max(from, latest(page) - margin - TICK_MS);
    known = new Set(page.map(keyOf));
  }
}

const CROWDED = `Zitadel lists ${PAGE} or more events of one millisecond: they cannot be paged through`;

function keyOf({ aggregateID, sequence }: ListedEvent): string {
  return `${sequence} ${aggregateID}`;
}

/** Milliseconds of the newest creation date. */
export function latest(events: readonly ListedEvent[]): number {
  return Math.max(...events.map(({ created_at }) => Date.parse(created_at)));
}
