import { ProviderUnavailable } from '../../shared/errors.ts';
import { PAGE, type EventSource, type ListedEvent } from './zitadel-events.ts';

/** Every event of a stretch of time. */
export interface Stretch {
  readonly events: readonly ListedEvent[];
  /** Whatever happened before is in this stretch or was in one before it; never past the present. */
  readonly until: Date;
}

/**
 * Returns every event from `since` on, each once, in stretches of time; ends early when the signal is aborted. Throws
 * ProviderUnavailable.
 *
 * An answer is in the order of commits, and dates are those of the clock that wrote them: one that ran ahead dates an event
 * later than all that follow it. So no event's date says where to go on from. Instead a stretch is asked for by both its ends,
 * and halved until one answer holds it.
 */
export async function* stretchesSince(
  source: EventSource,
  since: Date,
  present: Date,
  signal: AbortSignal,
): AsyncGenerator<Stretch> {
  const stopped = (): boolean => signal.aborted;
  if (stopped()) return;
  const events = await source.between(since);
  if (events.length < PAGE) {
    yield { events, until: present };
    return;
  }
  const end = present.getTime();
  let from = since.getTime();
  let width = end - from;
  while (from < end && !stopped()) {
    const until = new Date(Math.min(from + width, end));
    const stretch = await source.between(new Date(from), until);
    if (stretch.length < PAGE) {
      yield { events: stretch, until };
      from = until.getTime();
      width *= 2;
    } else {
      if (until.getTime() - from <= 1) throw new ProviderUnavailable(CROWDED);
      width = Math.ceil((until.getTime() - from) / 2);
    }
  }
  // Dated ahead: what one answer does not hold of it is found once its time has come.
  if (!stopped()) yield { events: await source.between(new Date(from)), until: present };
}

const CROWDED = `Zitadel lists ${PAGE} or more events of one millisecond: they cannot be told apart by time`;
