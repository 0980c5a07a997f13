import { DatabaseError, DatabaseUnavailable } from '../shared/database.ts';
import { createDeps, type Deps } from '../shared/deps.ts';
import { parseEnvironment } from '../shared/env.ts';
import { CountersUnavailable, ProviderUnavailable, RelationsUnavailable } from '../shared/errors.ts';
import { Failure } from './failure.ts';
import { openFgaFailure } from './fga/openfga-failure.ts';
import { environment } from './terminal.ts';

const OURS = [DatabaseUnavailable, DatabaseError, ProviderUnavailable, CountersUnavailable];

/** The bundle of the configured variables for one command; what is away or not configured is a Failure. */
export async function withDeps<T>(work: (deps: Deps) => Promise<T>): Promise<T> {
  const parsed = parseEnvironment(environment, 'node');
  if (!parsed.ok) {
    throw new Failure(parsed.faults.map(({ variable, problem }) => `${variable} ${problem}`).join('\n'));
  }
  if (parsed.config.database === null) throw new Failure('DATABASE_URL is not set');
  // stdout belongs to the command's result.
  const deps = createDeps({ ...parsed.config, logLevel: 'silent' });
  try {
    return await work(deps);
  } catch (error) {
    if (error instanceof RelationsUnavailable) throw new Failure(openFgaFailure(error), { cause: error });
    const known = OURS.some((kind) => error instanceof kind);
    throw known && error instanceof Error ? new Failure(error.message, { cause: error }) : error;
  } finally {
    await deps.close();
  }
}
