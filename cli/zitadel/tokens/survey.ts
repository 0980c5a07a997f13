import { isLoginClient } from '../../../shared/service-tokens/rotations.ts';
import { type ListedUser, machines, ownUser, rightsByUser } from '../../../shared/zitadel/accounts.ts';
import { keysOf, patsOf, type Credential } from '../../../shared/zitadel/credentials.ts';
import type { ZitadelClient } from '../api/client.ts';

export type Kind = 'pat' | 'key';

export interface Account {
  readonly id: string;
  readonly username: string;
  readonly organization: string;
  /** False: deactivated or locked, which ended its tokens for good. */
  readonly active: boolean;
  /** Of the instance, organisations and projects. */
  readonly rights: readonly string[];
  /** Signs people in for the pages of login UI v2. */
  readonly isLoginClient: boolean;
  /** Of ZITADEL_SERVICE_TOKEN. */
  readonly isOwn: boolean;
}

/** A personal access token or a key, without what is secret. */
export interface Token {
  readonly id: string;
  readonly kind: Kind;
  readonly account: Account;
  readonly created: Date | null;
  readonly expires: Date | null;
  /** Null: one of its account's tokens is, and which one cannot be said. */
  readonly inUse: boolean | null;
}

export interface Survey {
  readonly accounts: readonly Account[];
  readonly tokens: readonly Token[];
  /** False: rights below the instance are not listed. */
  readonly allRights: boolean;
}

/** Accounts that are asked about at the same time. */
const TOGETHER = 8;

/** Every service account with its tokens. `inUse`: id of the token in use, where it is known. */
export async function survey(client: ZitadelClient, inUse: string | null, now: Date): Promise<Survey> {
  const own = await ownUser(client);
  const { byUser, complete } = await rightsByUser(client);
  const accounts = (await machines(client)).map((machine) => accountOf(machine, byUser, own));
  const tokens: Token[] = [];
  for (let from = 0; from < accounts.length; from += TOGETHER) {
    const some = accounts.slice(from, from + TOGETHER);
    const found = await Promise.all(some.map((account) => tokensOf(client, account, inUse, now)));
    tokens.push(...found.flat());
  }
  return { accounts, tokens, allRights: complete };
}

function accountOf(
  { userId, username, state, details }: ListedUser,
  byUser: ReadonlyMap<string, readonly string[]>,
  own: string,
): Account {
  const rights = byUser.get(userId) ?? [];
  return {
    id: userId,
    username,
    organization: details.resourceOwner,
    active: state === 'USER_STATE_ACTIVE',
    rights,
    isLoginClient: isLoginClient(username, rights),
    isOwn: userId === own,
  };
}

async function tokensOf(
  client: ZitadelClient,
  account: Account,
  inUse: string | null,
  now: Date,
): Promise<Token[]> {
  const [pats, keys] = await Promise.all([patsOf(client, account), keysOf(client, account)]);
  const living = pats.filter(({ expires }) => !isPast(expires, now));
  const isInUse = (id: string): boolean | null => {
    if (!account.isOwn) return false;
    if (inUse !== null) return id === inUse;
    const alive = living.some((each) => each.id === id);
    return alive && living.length > 1 ? null : alive;
  };
  const shown = (kind: Kind, { id, created, expires }: Credential): Token => ({
    ...{ id, kind, account, created, expires },
    inUse: kind === 'pat' ? isInUse(id) : false,
  });
  return [...pats.map((pat) => shown('pat', pat)), ...keys.map((key) => shown('key', key))];
}

export function isPast(date: Date | null, now: Date): boolean {
  return date !== null && date <= now;
}
