import { pause } from '../../../shared/ports/runtime.ts';
import { Failure } from '../../failure.ts';

const LOOKS = 20;
const PAUSE_MS = 250;

/**
 * A list that shows everything that was made. Lists are projected from events and lag behind them; of what Zitadel takes twice
 * silently a list that is old would make a double, so it is read again until it shows what the newest events have made.
 */
export async function currentList<T extends { readonly id: string }>(
  list: () => Promise<readonly T[]>,
  made: () => Promise<readonly string[]>,
  removed: () => Promise<readonly string[]>,
): Promise<readonly T[]> {
  const [added, gone, first] = await Promise.all([made(), removed(), list()]);
  let shown = first;
  for (let look = 0; look < LOOKS; look++) {
    const lacking = added.filter((id) => !gone.includes(id) && !shown.some((each) => each.id === id));
    if (lacking.length === 0) return shown;
    await pause(PAUSE_MS);
    shown = await list();
  }
  throw new Failure(
    'Zitadel’s lists do not show what its newest events have made: are its projections stuck? See `sallyport zitadel verify`',
  );
}
