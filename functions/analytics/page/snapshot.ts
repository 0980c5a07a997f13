/** Anything with the time of its figures. */
interface Dated {
  readonly as_of: string | null;
}

/** Refreshes are minutes apart: a second one in a row of reads is a fault of the database. */
const TRIES = 4;

/**
 * Reads figures of one snapshot. Each read is one statement and carries the time of its figures, which are published by one commit: reads
 * of the same time belong together, and where a refresh came between them all are read again. Throws as `read`.
 */
export async function ofOneSnapshot<T>(
  read: () => Promise<T>,
  figuresOf: (all: T) => readonly Dated[],
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const all = await read();
    const times = new Set(figuresOf(all).map(({ as_of }) => as_of));
    if (times.size <= 1) return all;
    if (tries === TRIES) throw new Error('figures change faster than they are read');
  }
}
