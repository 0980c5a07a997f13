import { FeatureSyncRefused } from '../../functions/feature-sync/effects.ts';
import { DatabaseError, DatabaseUnavailable } from '../../shared/ports/database.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';
import { LeaseHeld, LeaseLost } from '../../shared/runs/lease.ts';
import { Failure, withoutTables } from '../failure.ts';
import { openFgaFailure } from '../fga/connect.ts';

/** Maps an expected error to a Failure with its remedy; a defect is returned unchanged. */
export function syncFailure(error: unknown): unknown {
  const noTables = withoutTables(error);
  if (noTables !== undefined) return noTables;
  if (error instanceof DatabaseUnavailable) return away(error.message, error, 'DATABASE_URL');
  if (error instanceof RelationsUnavailable) return away(openFgaFailure(error), error, 'OPENFGA_URL');
  const expected = [FeatureSyncRefused, LeaseHeld, LeaseLost, DatabaseError];
  if (error instanceof Error && expected.some((kind) => error instanceof kind))
    return new Failure(error.message, { cause: error });
  return error;
}

/** An interrupted run resumes where it stopped. */
function away(what: string, cause: Error, variable: string): Failure {
  const todo = `nothing is lost: look at ${variable} and what it leads to, then give the same command again`;
  return new Failure(`${what}\n${todo}`, { cause });
}
