import { describe, expect, it } from 'vitest';
import { syncFailure } from '../../cli/rules/sync-deps.ts';
import { DatabaseError, DatabaseUnavailable } from '../../shared/ports/database.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';

describe('a feature sync that fails says what to do', () => {
  it.each<[string, Error, RegExp]>([
    [
      'Postgres is away',
      new DatabaseUnavailable('ECONNREFUSED'),
      /ECONNREFUSED.*DATABASE_URL.*same command/s,
    ],
    [
      'OpenFGA is away',
      new RelationsUnavailable('OpenFGA failed'),
      /OpenFGA failed.*OPENFGA_URL.*same command/s,
    ],
    ['a migration is missing', new DatabaseError('42P01'), /sallyport db migrate/],
  ])('when %s', (_, error, says) => {
    expect(syncFailure(error)).toMatchObject({
      name: 'Failure',
      message: expect.stringMatching(says) as unknown,
    });
  });

  it('and leaves a defect of ours as it is, with its stack', () => {
    const defect = new TypeError('a fault of ours');
    expect(syncFailure(defect)).toBe(defect);
  });
});
