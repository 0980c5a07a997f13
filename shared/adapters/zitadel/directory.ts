import type { ZitadelDirectoryConfig } from '../../configuration/providers.ts';
import type { Creation, Directory, NewPerson } from '../../ports/directory.ts';
import type { Clock, Exchange } from '../../ports/runtime.ts';
import { providerCaller } from '../provider-call.ts';
import { zitadelRefusal } from './addresses.ts';
import { zitadelChanges } from './changes.ts';
import { createPerson } from './create.ts';
import { zitadelCredentials } from './credentials.ts';
import { zitadelGroups } from './organizations.ts';
import { findPeople, listPeople } from './people.ts';
import { zitadelRights } from './rights.ts';
import { WrittenRoles } from './written-roles.ts';

/** 16 at a time made some 46 accounts a second, 1 at a time 34. */
const TRAITS = {
  provider: 'zitadel',
  unique: false,
  passwords: 'hash',
  batch: 1,
  concurrency: 16,
  // Lists are projected from events: within tens of milliseconds, later where the server is busy.
  lagMs: 2_000,
  heldSeconds: 0,
} as const;

export interface ZitadelDirectoryParts {
  readonly exchange: Exchange;
  readonly clock: Clock;
}

export function openZitadelDirectory(
  config: ZitadelDirectoryConfig,
  { exchange, clock }: ZitadelDirectoryParts,
): Directory {
  const parts = {
    config,
    written: new WrittenRoles(clock),
    caller: providerCaller(exchange, config.url, config.token),
  };
  return {
    traits: { ...TRAITS, mode: config.tenancy, issuer: config.issuer },
    rights: () => zitadelRights(parts),
    nameOf: ({ mail }) => mail,
    refusalOf: zitadelRefusal,
    async create(people: readonly NewPerson[]) {
      const made: Creation[] = [];
      for (const person of people) made.push(await createPerson(parts, person));
      return made;
    },
    find: (ids) => findPeople(parts, ids),
    list: (tenant, from) => listPeople(parts, tenant, from),
    ...zitadelChanges(parts),
    ...zitadelGroups(parts),
    ...zitadelCredentials(parts),
  };
}
