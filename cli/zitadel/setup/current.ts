import { pause } from '../../../shared/ports/runtime.ts';
import { Failure } from '../../failure.ts';
import type { ZitadelClient } from '../api/client.ts';
import { madeIds, type Made } from '../api/events.ts';

const LOOKS = 20;
const PAUSE_MS = 250;

/**
 * A list that shows everything that was made. Lists are projected from events and lag behind them; of what Zitadel takes twice
 * silently a list that is old would make a double, so it is read again until it shows what the newest events have made.
 */
export async function currentList<T extends { readonly id: string }>(
  client: ZitadelClient,
  list: () => Promise<readonly T[]>,
  types: Pick<Made, 'added' | 'removed'>,
): Promise<readonly T[]> {
  const [made, first] = await Promise.all([madeIds(client, { ...types, member: 'id' }), list()]);
  let shown = first;
  for (let look = 0; look < LOOKS; look++) {
    if (made.every((id) => shown.some((each) => each.id === id))) return shown;
    await pause(PAUSE_MS);
    shown = await list();
  }
  throw new Failure(
    'Zitadel’s lists do not show what its newest events have made: are its projections stuck? See `sallyport zitadel verify`',
  );
}
