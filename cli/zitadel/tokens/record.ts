import {
  presentIn,
  ROTATION_EVENTS,
  rotationsIn,
  rotationsText,
  ROTATIONS_KEY,
  tokenEvents,
  type Rotation,
} from '../../../shared/service-tokens/rotations.ts';
import type { ZitadelClient } from '../api/client.ts';
import { userEvents } from '../api/events.ts';
import { removeMetadata, setMetadata } from '../api/metadata.ts';
import type { Account, Kind } from './survey.ts';

export { untilOf, type Rotation } from '../../../shared/service-tokens/rotations.ts';

/** What is under way for an account. */
export async function rotationsOf(client: ZitadelClient, account: Account): Promise<readonly Rotation[]> {
  return rotationsIn(await userEvents(client, account.id, ROTATION_EVENTS));
}

export async function keepRotations(
  client: ZitadelClient,
  account: Account,
  rotations: readonly Rotation[],
): Promise<void> {
  if (rotations.length === 0) await removeMetadata(client, account, ROTATIONS_KEY);
  else await setMetadata(client, account, ROTATIONS_KEY, rotationsText(rotations));
}

/** Tokens of an account that are there, by id with their expiry in milliseconds. */
export async function present(
  client: ZitadelClient,
  account: Account,
  kind: Kind,
): Promise<ReadonlyMap<string, number>> {
  return presentIn(await userEvents(client, account.id, tokenEvents(kind)), kind);
}
