import { setTimeout } from 'node:timers/promises';
import { userInfo } from 'node:os';
import * as z from 'zod';
import { DIRECTORY, MIGRATION } from '../../shared/configuration/providers.ts';
import { openDirectory } from '../../shared/deps.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { DatabaseUnavailable, sql, type Database } from '../../shared/ports/database.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { ProviderStopped } from '../../shared/provisioning/calls.ts';
import type { PeopleDeps } from '../../shared/provisioning/deps.ts';
import { openBooks, ProvisioningRefused } from '../../shared/provisioning/run.ts';
import { LeaseHeld, LeaseLost } from '../../shared/runs/lease.ts';
import { processes, skeleton } from '../deps.ts';
import { Failure } from '../failure.ts';
import { withGround, type CommandGround } from '../ground.ts';
import { colors, interruption, note, progressBar } from '../terminal.ts';
import { DATABASE_URL } from '../variables.ts';

/** The person at the keyboard, for the record. */
export function operator(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry, as in many containers.
    return String(process.getuid?.() ?? 'cli');
  }
}

/** Milliseconds, after which the lease of a run that died on another machine has expired. */
export const LEASE_WAIT_MS = 35_000;

export interface PeopleOptions {
  readonly concurrency?: number | undefined;
  /** Milliseconds to wait for another run to end. */
  readonly waitMs?: number;
  /** What the progress bar is about. */
  readonly label?: string;
  readonly onRun?: (id: string) => void;
}

/** For what calls the provider. Throws Failure. */
export function withPeople<T>(options: PeopleOptions, work: (deps: PeopleDeps) => Promise<T>): Promise<T> {
  const { concurrency, waitMs = 0, label = 'working', onRun = () => undefined } = options;
  return withGround(DIRECTORY, async (config, ground) => {
    try {
      return await withProgress(label, (progress) =>
        work({
          ...openBooks(ground.database, { processes }),
          ...ground,
          ...progress,
          directory: openDirectory(config, ground),
          skeleton,
          ...(concurrency !== undefined && { concurrency }),
          waitMs,
          onRun,
          onWarning: (text) => {
            note(`${colors.yellow('warning:')} ${text}`);
          },
        }),
      );
    } catch (error) {
      throw peopleFailure(error);
    }
  });
}

/** For long runs: the operator, interruption, and a progress bar that ends with `work`. */
export async function withProgress<T>(
  label: string,
  work: (progress: Pick<PeopleDeps, 'who' | 'signal' | 'sleep' | 'onProgress'>) => Promise<T>,
): Promise<T> {
  const signal = interruption();
  const bar = progressBar(label, { long: true });
  try {
    return await work({
      who: operator(),
      signal,
      sleep: (ms) => setTimeout(ms, undefined, { signal }),
      onProgress: (done, total) => {
        bar.update(done, total);
      },
    });
  } finally {
    bar.end();
  }
}

/** For what works with the database alone, and shows the provider where one is configured. Throws Failure. */
export function withMigration<T>(
  work: (ground: CommandGround, directory: Directory | null) => Promise<T>,
): Promise<T> {
  return withGround(MIGRATION, async ({ migration }, ground) => {
    const config = migration.directory;
    const directory = config === null ? null : openDirectory({ directory: config }, ground);
    try {
      return await work(ground, directory);
    } catch (error) {
      throw peopleFailure(error);
    }
  });
}

/** For what needs the database alone. Throws Failure. */
export function withDatabase<T>(work: (ground: CommandGround) => Promise<T>): Promise<T> {
  return withGround(DATABASE_URL, async (_config, ground) => {
    try {
      return await work(ground);
    } catch (error) {
      throw peopleFailure(error);
    }
  });
}

const EXPECTED = [ProvisioningRefused, ProviderStopped, LeaseHeld, LeaseLost];

/** Maps an expected error to a Failure; any other is returned unchanged. */
function peopleFailure(error: unknown): unknown {
  const expected = error instanceof Error && EXPECTED.some((kind) => error instanceof kind);
  return expected ? new Failure(error.message, { cause: error }) : error;
}

/** Whether a run that stopped so goes on where it was. */
export function goesOn(error: unknown): boolean {
  const cause = error instanceof Failure ? error.cause : error;
  return cause instanceof ProviderStopped || cause instanceof DatabaseUnavailable;
}

const CountRow = z.object({ count: z.number() });

/** Throws Failure for a slug or an id that no tenant has. */
export async function assertTenant(database: Pick<Database, 'query'>, tenant: string | null): Promise<void> {
  if (tenant === null) return;
  const [row] = await database.query(
    sql`select count(*)::int as count from tenants t where ${isTenant(tenant)}`,
    CountRow,
  );
  if (row?.count === 0) throw new Failure(`there is no tenant ${tenant}: \`sallyport tenants list\``);
}
