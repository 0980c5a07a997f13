import { staysFor } from '../../../shared/service-tokens/rotations.ts';
import type { ZitadelClient } from '../api/client.ts';
import { keepRotations, present, type Rotation } from './record.ts';
import { remove } from './rotate.ts';
import type { Account, Kind, Token } from './survey.ts';

export interface Finish {
  readonly account: Account;
  readonly rotation: Rotation;
  /** Undefined: the old one goes. */
  readonly why: string | undefined;
}

export interface FinishChoice {
  readonly tokens: readonly Token[];
  readonly includeSelf: boolean;
  /** Milliseconds since the rotation; undefined: as it said. */
  readonly grace: number | undefined;
  readonly now: Date;
}

/** What of finished rotations can be removed. */
export async function planFinish(
  client: ZitadelClient,
  accounts: readonly { readonly account: Account; readonly rotations: readonly Rotation[] }[],
  choice: FinishChoice,
): Promise<Finish[]> {
  const plan: Finish[] = [];
  for (const { account, rotations } of accounts) {
    const there = new Map<Kind, ReadonlyMap<string, number>>();
    for (const kind of new Set(rotations.map((each) => each.kind)))
      there.set(kind, await present(client, account, kind));
    for (const rotation of rotations) {
      const why = reasonAgainst(account, rotation, there.get(rotation.kind) ?? new Map(), choice);
      plan.push({ account, rotation, why });
    }
  }
  return plan;
}

function reasonAgainst(
  account: Account,
  rotation: Rotation,
  there: ReadonlyMap<string, number>,
  { tokens, includeSelf, grace, now }: FinishChoice,
): string | undefined {
  const stays = staysFor(rotation, there, now, grace);
  if (stays !== undefined) return stays;
  const { old } = rotation;
  const token = tokens.find(({ id }) => id === old);
  if (token?.inUse === true) return 'is the token in use: put the new one into ZITADEL_SERVICE_TOKEN first';
  if (includeSelf) return undefined;
  if (token?.inUse === null)
    return 'may be the token in use, as ZITADEL_CLIENT_ID and ZITADEL_CLIENT_SECRET are not there to tell: --include-self takes it along';
  return account.isLoginClient ? 'is the login client’s: --include-self takes it along' : undefined;
}

/** Removes the old one, then its record. */
export async function finish(
  client: ZitadelClient,
  { account, rotation }: Finish,
  rotations: readonly Rotation[],
): Promise<void> {
  await remove(client, account, rotation.kind, rotation.old);
  await keepRotations(
    client,
    account,
    rotations.filter((each) => each.old !== rotation.old),
  );
}
