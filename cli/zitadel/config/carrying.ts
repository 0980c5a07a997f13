import type { ZitadelClient } from '../api/client.ts';
import type { OutFile } from '../setup/out.ts';
import { differences, type Plan } from '../setup/plan.ts';
import type { Ids } from './model.ts';

/** What carries files to an instance. */
export interface Carrying {
  readonly client: ZitadelClient;
  readonly out: OutFile;
  /** Of the target; steps add what they make. */
  readonly ids: Ids;
  /** Of the target's, by the names of those that Zitadel calls. */
  readonly signingKeys: ReadonlyMap<string, string>;
  readonly plan: Plan;
}

/** An organisation that steps write to. */
export interface Home {
  readonly name: string;
  readonly id: () => string;
}

/** Makes what is missing, changes what differs. */
export function planOne(
  { plan }: Carrying,
  what: string,
  there: Readonly<Record<string, unknown>> | undefined,
  wanted: Readonly<Record<string, unknown>>,
  run: () => Promise<void>,
): void {
  // What is left out is false or empty, so a member that only the target has differs, too.
  const all = Object.fromEntries(
    [...Object.keys(there ?? {}), ...Object.keys(wanted)].map((name) => [name, wanted[name]]),
  );
  const differing = there === undefined ? [] : differences(there, all);
  if (there === undefined) plan.make(what, run);
  else if (differing.length === 0) plan.kept.push(what);
  else plan.change(what, differing.join(', '), run);
}
