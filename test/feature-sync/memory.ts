import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';

export const show = ({ user, relation, object }: Tuple): string => `${user} ${relation} ${object}`;

export function tuple(text: string): Tuple {
  const [user = '', relation = '', object = ''] = text.split(' ');
  return { user, relation, object };
}

/** Tuples in memory, in OpenFGA's order of writing, two to a page. */
export class MemoryTuples implements Pick<Tuples, 'read' | 'write'> {
  readonly all = new Map<string, Tuple>();
  /** Called before and after each write. */
  watch: () => void = () => undefined;

  constructor(tuples: readonly Tuple[] = []) {
    for (const each of tuples) this.all.set(show(each), each);
  }

  read(filter: { readonly object?: string }, continuation = '0') {
    const found = [...this.all.values()].filter(({ object }) => object === filter.object);
    const from = Number(continuation);
    const next = from + 2 < found.length ? String(from + 2) : undefined;
    return Promise.resolve({ tuples: found.slice(from, from + 2), next });
  }

  write({
    writes = [],
    deletes = [],
  }: {
    readonly writes?: readonly Tuple[];
    readonly deletes?: readonly Tuple[];
  }) {
    this.watch();
    for (const each of writes) this.all.set(show(each), each);
    for (const each of deletes) this.all.delete(show(each));
    this.watch();
    return Promise.resolve();
  }

  get shown(): string[] {
    return [...this.all.keys()].sort();
  }
}
