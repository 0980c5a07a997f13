import { MAIL_EVENTS } from '../../shared/configuration/mail-events.ts';
import { broken, slice, type Fault, type Given } from '../../shared/configuration/slice.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

const OWN = slice({ variables: {}, faults: databaseFaults, read: () => ({}) });

function databaseFaults({ written, raw }: Given): Fault[] {
  const absent = written['DATABASE_URL'] === undefined && raw['HYPERDRIVE'] === undefined;
  return broken([absent, 'DATABASE_URL', 'is missing: analytics keeps its figures there']);
}

export const ANALYTICS = {
  name: 'analytics',
  paths: ['/analytics', '/analytics/'],
  slice: OWN.and(MAIL_EVENTS),
} as const satisfies EdgeFunction;
