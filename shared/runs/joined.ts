/**
 * Joins what comes while a statement is under way into the next one: under load it is one round trip for many, else one for each.
 * `carry` resolves to the keys that changed something, in any order. A call resolves to whether its own did. What came before is carried
 * before or with it; once a statement has failed, all that is called later rejects as it did.
 */
export function joined<Key>(
  carry: (keys: readonly Key[]) => Promise<ReadonlySet<Key>>,
): (key: Key) => Promise<boolean> {
  let waiting: Waiting<Key>[] = [];
  let busy = false;
  let broken: { readonly error: unknown } | undefined;
  const carryAll = async (): Promise<void> => {
    busy = true;
    for (let those = waiting; those.length > 0; those = waiting) {
      waiting = [];
      try {
        if (broken !== undefined) throw broken.error;
        const changed = await carry(those.map(({ key }) => key));
        for (const { key, resolve } of those) resolve(changed.has(key));
      } catch (error) {
        broken = { error };
        for (const { reject } of those) reject(error);
      }
    }
    busy = false;
  };
  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject });
      if (!busy) void carryAll();
    });
}

interface Waiting<Key> {
  readonly key: Key;
  readonly resolve: (changed: boolean) => void;
  readonly reject: (error: unknown) => void;
}
