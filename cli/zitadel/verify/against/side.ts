import type { ComparedTable, TableSource } from './tables.ts';
import type { Fingerprint } from './fingerprint.ts';

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
  /** False: payloads of a tenth of the events are compared, and of all of them everything else. */
  readonly allPayloads: boolean;
}

/** One of two that are compared: a database, or a dump. */
export interface Side extends TableSource {
  readonly shown: string;
  /** Position of the newest event of these instances, as Postgres writes it. */
  head(instances: readonly string[] | null): Promise<string>;
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

/** Payloads are long: of many events those are compared whose position ends in this digit. */
export const SAMPLED_DIGIT = '0';
