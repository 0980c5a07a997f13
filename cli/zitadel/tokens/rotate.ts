import type { ZitadelClient } from '../api/client.ts';
import { createKey, removeKey } from '../api/keys.ts';
import { createPat, removePat } from '../api/machines.ts';
import type { OutFile } from '../setup/out.ts';
import { expiryOf, variableFor } from './plan.ts';
import { keepRotations, present, rotationsOf, type Rotation } from './record.ts';
import type { Account, Kind, Token } from './survey.ts';

export interface RotateDeps {
  readonly client: ZitadelClient;
  readonly out: OutFile;
  /** Milliseconds for which the old one goes on beside the new one. */
  readonly grace: number;
  readonly now: () => Date;
}

export interface Rotated {
  readonly token: Token;
  readonly id: string;
  readonly expires: Date;
  readonly variable: string;
}

/**
 * Makes what replaces a token. The record of it is begun before, and the new one is in the file before the record says so: killed at
 * any point, the next run finds a new one that is in the file, or removes one whose text nobody has.
 */
export async function rotate(
  { client, out, grace, now }: RotateDeps,
  token: Token,
  at: number,
  taken: Set<string>,
): Promise<Rotated> {
  const { account, kind, id: old } = token;
  const others = (await rotationsOf(client, account)).filter((each) => each.old !== old);
  const expires = expiryOf(token, now(), at);
  const begun: Rotation = { kind, old, new: null, expires: expires.toISOString(), at: null, grace };
  await keepRotations(client, account, [...others, begun]);
  const made = await make(client, account, kind, expires);
  const variable = variableFor(token, out, taken, (text) => client.isOwnToken(text));
  taken.add(variable);
  try {
    await out.keep(variable, made.text, made.id);
  } catch (error) {
    // Nobody has its text.
    await remove(client, account, kind, made.id);
    await keepRotations(client, account, others);
    throw error;
  }
  await keepRotations(client, account, [...others, { ...begun, new: made.id, at: now().toISOString() }]);
  return { token, id: made.id, expires, variable };
}

async function make(
  client: ZitadelClient,
  account: Account,
  kind: Kind,
  expires: Date,
): Promise<{ readonly id: string; readonly text: string }> {
  if (kind === 'key') {
    const { id, json } = await createKey(client, account, expires);
    return { id, text: JSON.stringify(JSON.parse(json)) };
  }
  const { tokenId, token } = await createPat(client, account, expires);
  return { id: tokenId, text: token };
}

export async function remove(client: ZitadelClient, account: Account, kind: Kind, id: string): Promise<void> {
  await (kind === 'key' ? removeKey(client, account, id) : removePat(client, account, id));
}

/** What a cut-off run had begun: `adopted`, as the new one is in the file, or `undone`. */
export interface Settled {
  readonly account: Account;
  readonly old: string;
  readonly id: string | null;
  readonly outcome: 'adopted' | 'undone';
}

/** Ends what a cut-off run has begun for an account. Returns nothing where nothing was. */
export async function settle(
  { client, out, grace, now }: RotateDeps,
  account: Account,
  rotations: readonly Rotation[],
): Promise<Settled[]> {
  const settled: Settled[] = [];
  const kept: Rotation[] = [];
  for (const rotation of rotations) {
    if (rotation.new !== null) {
      kept.push(rotation);
      continue;
    }
    const { kind, old, expires } = rotation;
    const made = [...(await present(client, account, kind))].find(
      ([, time]) => time === Date.parse(expires),
    )?.[0];
    if (made !== undefined && out.holds(made)) {
      kept.push({ ...rotation, new: made, at: now().toISOString(), grace });
      settled.push({ account, old, id: made, outcome: 'adopted' });
      continue;
    }
    if (made !== undefined) await remove(client, account, kind, made);
    settled.push({ account, old, id: made ?? null, outcome: 'undone' });
  }
  if (settled.length > 0) await keepRotations(client, account, kept);
  return settled;
}
