/** Returns the candidate nearest to a mistyped word: one edit away, from twelve letters on two; else undefined. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const near = candidates
    .map((candidate) => ({ candidate, most: candidate.length < 12 ? 1 : 2 }))
    .filter(({ candidate, most }) => Math.abs(candidate.length - word.length) <= most)
    .map(({ candidate, most }) => ({ candidate, far: distance(word, candidate), most }))
    .filter(({ far, most }) => far <= most)
    .sort((a, b) => a.far - b.far);
  return near[0]?.candidate;
}

/** Optimal string alignment distance: insertions, deletions, substitutions, adjacent swaps. */
export function distance(a: string, b: string): number {
  let [before, last]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (last?.[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const others = swapped ? [(before?.[j - 2] ?? 0) + 1] : [];
      row.push(Math.min(changed, (last?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, ...others));
    }
    [before, last] = [last, row];
  }
  return last?.[b.length] ?? 0;
}
