import type { Field, RefusedValue } from '../../ports/directory.ts';
import type { ZitadelFault } from './client.ts';

/** A value that Zitadel does not take; undefined for any other fault. */
export function refusalOf({ status, id, reason }: ZitadelFault): RefusedValue | undefined {
  if (id === 'COMMAND-QXPGs') return { outcome: 'refused', field: 'tenant', reason };
  // Its own hash cannot hold more than 72 bytes, which it reports as a fault of its own.
  if (status === 500 && reason.includes('72 bytes')) return { outcome: 'refused', field: 'password', reason };
  if (status !== 400) return undefined;
  const field = FIELDS.find(([sign]) => sign.test(reason))?.[1] ?? null;
  // Precondition faults are of a state, not of a value.
  return field === null && id !== '' ? undefined : { outcome: 'refused', field, reason };
}

/** The form of a request is checked by rules that name the field. */
const FIELDS: readonly (readonly [RegExp, Field])[] = [
  [/SetHumanEmail|EMAIL-/, 'mail'],
  [/SetHumanProfile|Profile\./, 'displayName'],
  [/\.UserId\b/, 'id'],
  [/\.Username\b/, 'name'],
  [/OrganizationId/, 'tenant'],
  [/Password is|\.Password\b/, 'password'],
];
