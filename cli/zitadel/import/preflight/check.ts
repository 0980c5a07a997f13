import type { Dump } from '../../dump/inspect.ts';
import type { Found, Server } from '../server.ts';
import type { TargetState } from '../target.ts';

/** One line of the preflight. `no` forbids the import. */
export interface Check {
  readonly name: string;
  readonly verdict: 'ok' | 'warning' | 'skipped' | 'no';
  readonly says: string;
}

export interface Preflight {
  readonly dump: Dump;
  readonly server: Server;
  /** Undefined: there is no such database yet. */
  readonly former: Found | undefined;
  readonly state: TargetState | undefined;
  readonly masterkey: Buffer | null;
  readonly externalDomain: string | null;
  readonly targetVersion: string | undefined;
  readonly backupDir: string;
  /** Of everything; empty where none can be found. */
  readonly owner: string;
}

/** As in `1 user`, `959 users`. */
export function numbered(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

/** A few of many. */
export function some(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
