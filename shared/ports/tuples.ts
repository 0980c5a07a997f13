import * as z from 'zod';

/** A relationship: `user` has `relation` to `object`. */
export const tupleSchema = z.object({
  user: z.string().min(1).max(512),
  relation: z.string().min(1).max(50),
  object: z.string().min(3).max(256),
  condition: z.object({ name: z.string(), context: z.record(z.string(), z.unknown()).optional() }).optional(),
});

export type Tuple = z.output<typeof tupleSchema>;

/** OpenFGA's Read: an object (or `type:`, then a user is needed), or nothing for all tuples. */
export interface TupleFilter {
  readonly user?: string;
  readonly relation?: string;
  readonly object?: string;
}

export interface TuplePage {
  readonly tuples: readonly Tuple[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
}

export interface TupleChanges {
  readonly writes?: readonly Tuple[];
  readonly deletes?: readonly Tuple[];
}

/** Most tuples of one write, all or nothing (OpenFGA's max-tuples-per-write). */
export const TUPLES_PER_WRITE = 100;

/**
 * Reads and changes relationship tuples. Writing a present and deleting an absent tuple are no-ops.
 * Throws `RelationsUnavailable`.
 */
export interface Tuples {
  /** At most 100 to a page. */
  read(filter: TupleFilter, continuation?: string): Promise<TuplePage>;
  /** At most TUPLES_PER_WRITE in all. */
  write(changes: TupleChanges): Promise<void>;
  /** Object types of the model that have relations: where tuples can be. */
  objectTypes(): Promise<readonly string[]>;
}
