import { FeatureSyncRefused } from '../../functions/feature-sync/effects.ts';
import { DatabaseUnavailable } from '../../shared/ports/database.ts';
import { Unavailable } from '../../shared/errors.ts';
import { LeaseHeld, LeaseLost } from '../../shared/runs/lease.ts';
import { Failure, serviceFailure } from '../failure.ts';

/** Maps an expected error to a Failure with its remedy; a defect is returned unchanged. */
export function syncFailure(error: unknown): unknown {
  const failure = serviceFailure(error);
  if (failure !== undefined) return error instanceof Unavailable ? away(failure, error) : failure;
  const expected = [FeatureSyncRefused, LeaseHeld, LeaseLost];
  if (error instanceof Error && expected.some((kind) => error instanceof kind))
    return new Failure(error.message, { cause: error });
  return error;
}

/** An interrupted run resumes where it stopped. */
function away({ message }: Failure, cause: Unavailable): Failure {
  const variable = cause instanceof DatabaseUnavailable ? 'DATABASE_URL' : 'OPENFGA_URL';
  const todo = `nothing is lost: look at ${variable} and what it leads to, then give the same command again`;
  return new Failure(`${message}\n${todo}`, { cause });
}
