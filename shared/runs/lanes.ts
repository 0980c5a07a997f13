/** Longest that a row is leased before its attempt begins, so that what was read with it still holds, and its lease outlasts the attempt. */
const FRESH_MS = 5_000;

/**
 * Works on some items at a time; returns those it did not begin. What `work` resolves to ends an item, and does so while the next one of its
 * lane is worked on. Rejects as one that fails: no other is begun then, and those under way have ended.
 */
export async function inLanes<Item>(
  items: readonly Item[],
  { parallel, goesOn }: { readonly parallel: number; readonly goesOn: () => boolean },
  work: (item: Item) => Promise<() => Promise<void>>,
): Promise<readonly Item[]> {
  let at = 0;
  let over = false;
  const end = (): void => {
    over = true;
  };
  const stale = setTimeout(end, FRESH_MS);
  const lane = async (): Promise<void> => {
    let ending = Promise.resolve();
    for (let item = items[at]; item !== undefined && !over && goesOn(); item = items[at]) {
      at += 1;
      const finish = await work(item);
      await ending;
      ending = finish();
      ending.catch(end);
    }
    await ending;
  };
  const lanes = Array.from({ length: parallel }, async () =>
    lane().catch((error: unknown) => {
      end();
      throw error;
    }),
  );
  await Promise.allSettled(lanes);
  clearTimeout(stale);
  await Promise.all(lanes);
  return items.slice(at);
}
