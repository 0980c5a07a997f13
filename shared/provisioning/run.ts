import * as z from 'zod';
import type { Database } from '../ports/database.ts';
import { whyPaused } from '../people/tenants.ts';
import { hasPasswords } from '../people/users.ts';
import { openLease, type Lease, type LeaseOptions } from '../runs/lease.ts';
import { openRuns, type Run, type RunKind, type Runs } from '../runs/run.ts';

const Target = {
  provider: z.enum(['kanidm', 'zitadel']),
  issuer: z.string(),
  /** A slug; null: all tenants. */
  tenant: z.string().nullable(),
};

const planSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('provision'),
    ...Target,
    /** People at most; null: all. */
    limit: z.number().nullable(),
    passwords: z.boolean(),
    /** True: people of a file, which stand in the ledger as `listed`. */
    listed: z.boolean(),
  }),
  z.object({ kind: z.literal('reconcile'), ...Target }),
]);

export type PeoplePlan = z.output<typeof planSchema>;
export type ProvisionPlan = Extract<PeoplePlan, { readonly kind: 'provision' }>;

const STATES = ['listing', 'running', 'done', 'refused', 'undoing', 'undone'] as const;
/** `listing`: the people of a file are being kept. `refused`: it began, and nothing was done. */
export type PeopleState = (typeof STATES)[number];
export type PeopleRun = Run<PeoplePlan, PeopleState>;
export type PeopleRuns = Runs<PeoplePlan, PeopleState>;

export const PEOPLE: RunKind<PeoplePlan, PeopleState> = {
  name: 'provisioning',
  plan: planSchema,
  states: STATES,
  ended: ['done', 'refused', 'undone'],
  undone: 'undone',
};

/** A run cannot begin, or go on, as things stand. */
export class ProvisioningRefused extends Error {
  override readonly name = 'ProvisioningRefused';
}

/** The database of runs, under the one lease that all of them take. */
export interface Books {
  readonly database: Database;
  readonly lease: Lease;
  readonly runs: PeopleRuns;
}

export function openBooks(database: Database, options: Omit<LeaseOptions, 'name'> = {}): Books {
  const lease = openLease(database, { name: PEOPLE.name, ...options });
  return { database, lease, runs: openRuns(database, lease, PEOPLE) };
}

/** Throws ProvisioningRefused once the clean-up has dropped the passwords: there is nothing to go back to. */
export async function assertWayBack(database: Pick<Database, 'query'>): Promise<void> {
  if (await hasPasswords(database)) return;
  throw new ProvisioningRefused(
    'the passwords were dropped by the clean-up: `sallyport migration cleanup restore` brings them back first',
  );
}

/** Throws ProvisioningRefused while the migration is paused. */
export async function assertNotPaused(database: Pick<Database, 'query'>): Promise<void> {
  const why = await whyPaused(database);
  if (why !== undefined) throw new ProvisioningRefused(why);
}

/** Throws ProvisioningRefused while another run has not ended: its accounts could not be told from those of a new one. */
export async function assertNoneUnfinished(runs: PeopleRuns): Promise<void> {
  const unfinished = await runs.unfinished();
  if (unfinished === undefined) return;
  throw new ProvisioningRefused(
    `run ${unfinished.id} was cut off (${unfinished.state}): ${waysOn(unfinished).join(', or ')}`,
  );
}

function waysOn({ id, plan, state }: PeopleRun): readonly string[] {
  if (state === 'undoing') return [`\`sallyport users rollback ${id}\` goes on`];
  const on = plan.kind === 'provision' ? `provision --resume ${id}` : 'reconcile --fix';
  return [`\`sallyport users ${on}\` goes on with it`, `\`sallyport users rollback ${id}\` undoes it`];
}
