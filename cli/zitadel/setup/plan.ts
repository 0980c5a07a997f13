import type { Member } from '../../../shared/zitadel/accounts.ts';
import { Failure } from '../../failure.ts';
import type { ZitadelClient } from '../api/client.ts';
import type { Wanted } from './file.ts';
import type { OutFile } from './out.ts';

/** Ids of what is there, or was made by a step. */
export interface Ids {
  organization?: string;
  project?: string;
  /** Identity providers of the instance, by their step's name. */
  readonly idps: Map<string, string>;
}

/** What a set-up works with. */
export interface Setup {
  readonly client: ZitadelClient;
  readonly wanted: Wanted;
  readonly out: OutFile;
  readonly asked: Asked;
  /** The account whose token is used. */
  readonly own: {
    readonly user: string;
    readonly organization: { readonly id: string; readonly name: string };
  };
  /** Administrators of the instance. */
  readonly members: Promise<readonly Member[]>;
  readonly ids: Ids;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What is made or written anew though it is there: once, however often the instance is surveyed. */
export class Asked {
  readonly #renew: ReadonlySet<string>;
  readonly #writeSecrets: boolean;
  readonly #done = new Set<string>();

  constructor(renew: readonly string[], writeSecrets: boolean) {
    this.#renew = new Set(renew);
    this.#writeSecrets = writeSecrets;
  }

  /** Whether the secret of a variable is to be made anew. */
  renews(variable: string): boolean {
    return this.#renew.has(variable) && !this.#done.has(variable);
  }

  /** Whether a secret of the file that Zitadel does not show is to be written again. */
  writes(secret: string): boolean {
    return this.#writeSecrets && !this.#done.has(secret);
  }

  carriedOut(what: string): void {
    this.#done.add(what);
  }
}

export interface Step {
  readonly action: 'make' | 'change';
  /** `project Auth Gateway API` */
  readonly what: string;
  /** What differs; empty where it is missing. */
  readonly why: string;
  /** Neighbours of one group may run at the same time. */
  readonly group?: string;
  /** Runs after all others: what it writes is written by other steps, too. */
  readonly last?: boolean;
  readonly run: () => Promise<void>;
}

/** Among what was there before: that a secret which is held is being replaced. */
export const RENEWED = 'renewed';

/** What one part of the file comes to, beside what is there. */
export class Plan {
  readonly steps: Step[] = [];
  /** What is there as it should be. */
  readonly kept: string[] = [];
  /** What people should know, or have to do themselves. */
  readonly notes: string[] = [];
  /** What cannot be read again, so that nobody can say whether it fits. */
  readonly unchecked: string[] = [];
  /** Secrets that steps will make, by variable, with the ids of the tokens that are there before. */
  readonly secrets = new Map<string, readonly string[]>();
  /** Values for --out that are there already. */
  readonly values: ((out: OutFile) => Promise<void>)[] = [];

  make(what: string, run: Step['run'], group?: string): void {
    this.steps.push({ action: 'make', what, why: '', run, ...(group !== undefined && { group }) });
  }

  change(what: string, why: string, run: Step['run'], group?: string): void {
    this.steps.push({ action: 'change', what, why, run, ...(group !== undefined && { group }) });
  }
}

/** Steps of all parts, by the branches that may run at the same time, and those that run last. */
export interface Branches {
  readonly branches: readonly (readonly Step[])[];
  readonly last: readonly Step[];
}

export function branchesOf(parts: readonly (readonly Plan[])[]): Branches {
  const all = parts.map((plans) => plans.flatMap(({ steps }) => steps));
  return {
    branches: all.map((steps) => steps.filter(({ last }) => last !== true)),
    last: all.flat().filter(({ last }) => last === true),
  };
}

/** An id that an earlier step has found or made. */
export function known(id: string | undefined, what: string): string {
  if (id === undefined) throw new Failure(`${what} is not there yet`);
  return id;
}

/** Names of members that differ from those that are wanted. */
export function differences(
  is: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): readonly string[] {
  return Object.entries(wanted).flatMap(([name, value]) =>
    canonical(is[name]) === canonical(value) ? [] : [name],
  );
}

/**
 * Protobuf's JSON leaves out what is false, 0 or empty, and the order of a list means nothing in what is compared. A message without
 * members is something: it may say which of several kinds is meant, as `restAsync: {}` does.
 */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '' : JSON.stringify(value.map(canonical).sort());
  if (value === undefined || value === null || value === false || value === '' || value === '0s') return '';
  if (value === 0 || value === '0') return '';
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(([name, each]): [string, string] => [name, canonical(each)]);
  const said = members.filter(([, each]) => each !== '');
  return JSON.stringify(said.sort(([a], [b]) => (a < b ? -1 : 1)));
}
