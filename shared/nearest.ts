/** Out of `names` the one that was probably meant by a misspelt word; undefined when none is near. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  // One slip in a short word, two in a longer one: beyond that a guess would mislead.
  let [best, least] = [undefined as string | undefined, word.length < 5 ? 2 : 3];
  for (const name of names) {
    const steps = slips(word.toLowerCase(), name.toLowerCase());
    if (steps < least) [best, least] = [name, steps];
  }
  return best;
}

/** How many slips part two words: a letter too much, too little, another one, or two neighbours swapped. */
export function slips(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1];
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    [before, last] = [last, row];
  }
  return last[other.length] ?? one.length;
}
