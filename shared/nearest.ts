/** Returns the candidate nearest to a mistyped word: one edit away, from twelve letters on two; else undefined. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const letters = lettersOf(word);
  let nearest: { readonly candidate: string; readonly far: number } | undefined;
  for (const candidate of candidates) {
    const most = candidate.length < 12 ? 1 : 2;
    if (Math.abs(candidate.length - word.length) > most) continue;
    if (ones(letters ^ lettersOf(candidate)) > 2 * most) continue;
    const far = distance(word, candidate);
    if (far <= most && far < (nearest?.far ?? Infinity)) nearest = { candidate, far };
  }
  return nearest?.candidate;
}

/** Which letters are in a word, as bits: an edit changes two of them at most. Most words are told apart by this alone. */
function lettersOf(word: string): number {
  let bits = 0;
  for (let at = 0; at < word.length; at++) bits |= 1 << (word.charCodeAt(at) & 31);
  return bits;
}

function ones(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
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
