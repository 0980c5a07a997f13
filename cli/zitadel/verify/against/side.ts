import { EVENTS, fullName, type ComparedTable, type TableSource } from './tables.ts';
import type { Fingerprint, Part } from './fingerprint.ts';

/** A row within a part that differs. */
export interface HashedRow {
  /** Values of the key, joined for people. */
  readonly key: string;
  readonly hash: string;
}

/** What is left out on both sides. */
export interface Selection {
  /** Rows of other instances are left out; null: none is. */
  readonly instances: readonly string[] | null;
  /** Of events: newer ones are left out. */
  readonly upTo: string;
  /** Ids of what has changed since: rows with one of them in their key are left out. */
  readonly changed: ReadonlySet<string>;
  /** False: of nine tenths of the events only what names them is compared, and not their payload. */
  readonly wholeEvents: boolean;
}

/** One of two that are compared: a database, or a dump. */
export interface Side extends TableSource {
  readonly shown: string;
  /** Position of the newest event of these instances, as Postgres writes it. */
  head(instances: readonly string[] | null): Promise<string>;
  /** All rows of each table as one part, by its full name: cheap, and all there is to do where nothing differs. */
  totals(tables: readonly ComparedTable[], selection: Selection): Promise<ReadonlyMap<string, Part>>;
  fingerprints(
    tables: readonly ComparedTable[],
    selection: Selection,
  ): Promise<ReadonlyMap<string, Fingerprint>>;
  /** Rows of these parts, by full name of the table; at most `limit` each. */
  rows(
    parts: ReadonlyMap<ComparedTable, readonly string[]>,
    selection: Selection,
    limit: number,
  ): Promise<ReadonlyMap<string, readonly HashedRow[]>>;
}

/** Payloads are long: of many events those of the aggregates are compared as a whole whose id ends in this. */
export const SAMPLED = '7';

/** Compared of every event. */
const NAMING = ['instance_id', 'aggregate_type', 'aggregate_id', 'sequence', 'event_type', 'position'];

/** Whether a column is compared in a sample alone. */
export function isSampled(table: ComparedTable, column: string, { wholeEvents }: Selection): boolean {
  return !wholeEvents && fullName(table) === EVENTS && !NAMING.includes(column);
}
