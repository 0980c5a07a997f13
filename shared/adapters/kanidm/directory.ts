import type { KanidmDirectoryConfig } from '../../configuration/providers.ts';
import type { Directory, FinaliseSync } from '../../ports/directory.ts';
import type { Clock, Exchange, Random } from '../../ports/runtime.ts';
import { providerCaller } from '../provider-call.ts';
import { kanidmChanges } from './changes.ts';
import { ask, asFailure, WRITE_MS } from './client.ts';
import { createPeople, localCreation } from './create.ts';
import { kanidmCredentials } from './credentials.ts';
import { kanidmGroups } from './groups.ts';
import { kanidmName, kanidmRefusal } from './names.ts';
import { findPeople, listPeople } from './people.ts';
import { kanidmRights } from './rights.ts';
import { kanidmSync, syncedCreation } from './sync.ts';

export interface KanidmParts {
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly random: Random;
}

const WEEK_S = 7 * 86_400;

/** Kanidm has one writer: a second call at a time only waits for the first. */
const TRAITS = {
  provider: 'kanidm',
  unique: true,
  batch: 100,
  concurrency: 1,
  lagMs: 0,
  heldSeconds: WEEK_S,
} as const;

/** Mode `local`: people of the REST API. Mode `sync`: people of a SCIM sync account, whose passwords can be carried. */
export function openKanidmDirectory(config: KanidmDirectoryConfig, parts: KanidmParts): Directory {
  const { exchange, clock, random } = parts;
  const caller = providerCaller(exchange, config.url, config.token);
  const sync =
    config.syncToken === null ? null : kanidmSync(providerCaller(exchange, config.url, config.syncToken));
  const createAll = sync === null ? localCreation(caller) : syncedCreation(sync, caller);
  return {
    traits: {
      ...TRAITS,
      issuer: config.issuer,
      mode: sync === null ? 'local' : 'sync',
      passwords: sync === null ? 'none' : 'sign-in',
    },
    rights: () => kanidmRights(caller, config.token, sync),
    nameOf: ({ mail }) => kanidmName(mail),
    refusalOf: kanidmRefusal,
    create: (people) => createPeople({ caller, clock, createAll }, people),
    find: (ids) => findPeople(caller, ids, clock),
    list: (_tenant, from) => listPeople(caller, from, clock),
    ...kanidmChanges({ caller, clock, random, sync }),
    ...kanidmGroups(caller, random),
    ...kanidmCredentials(caller, new URL(config.issuer).origin),
  };
}

/** Ends a sync account as its administrator. */
export function kanidmFinalise(
  { url }: Pick<KanidmDirectoryConfig, 'url'>,
  exchange: Exchange,
): FinaliseSync {
  return async (account, administratorToken) => {
    const path = `/v1/sync_account/${encodeURIComponent(account)}/_finalise`;
    const caller = providerCaller(exchange, url, administratorToken);
    const answer = await ask(caller, { method: 'GET', path, timeoutMs: WRITE_MS * 4 });
    if (answer.outcome === 'ok') return { outcome: 'finalised' };
    return answer.outcome === 'absent' ? { outcome: 'absent' } : asFailure(answer);
  };
}
