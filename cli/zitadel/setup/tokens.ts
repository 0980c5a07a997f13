import { type Credential, patsOf } from '../../../shared/zitadel/credentials.ts';
import { madeIds } from '../api/events.ts';
import { createPat, removePat } from '../api/machines.ts';
import { RENEWED, type Plan, type Setup } from './plan.ts';

const DAY_MS = 86_400_000;

/** The personal access token of a service account. */
export interface TokenWanted {
  readonly userName: string;
  /** Where --out keeps it. */
  readonly variable: string;
  readonly days: number;
  /** Makes one also where the account was there before without any. */
  readonly ownsToken: boolean;
}

export async function planToken(
  { client, out, asked, now }: Setup,
  plan: Plan,
  { userName, variable, days, ownsToken }: TokenWanted,
  user: () => { readonly id: string; readonly organization: string },
  wasThere: boolean,
): Promise<void> {
  const what = `personal access token of ${userName}`;
  const there = wasThere ? await currentPats(client, user()) : [];
  const before = out.pending(variable);
  const make = async (): Promise<void> => {
    if (before !== undefined && wasThere) await removeLost(client, user(), before);
    const { token, tokenId } = await createPat(client, user(), new Date(now() + days * DAY_MS));
    await out.keep(variable, token, tokenId);
    asked.carriedOut(variable);
  };
  const reason = whyMade({ there, variable, before, wasThere, ownsToken }, out, now());
  if (reason === undefined && !asked.renews(variable)) {
    plan.kept.push(what);
    const value = out.get(variable);
    if (value !== undefined && before !== undefined) plan.values.push((to) => to.keep(variable, value));
    plan.unchecked.push(uncheckedToken(out, variable, userName));
    return;
  }
  const held = out.get(variable) === undefined ? [] : [RENEWED];
  plan.secrets.set(variable, before ?? [...there.map(({ id }) => id), ...held]);
  if (!wasThere) plan.make(what, make);
  else plan.change(what, reason ?? 'a new one; the old ones stay until they expire or are removed', make);
}

interface TokenState {
  readonly there: readonly Credential[];
  readonly variable: string;
  readonly before: readonly string[] | undefined;
  readonly wasThere: boolean;
  readonly ownsToken: boolean;
}

/** Undefined: none is made. */
function whyMade(
  { there, variable, before, wasThere, ownsToken }: TokenState,
  out: OutTokens,
  now: number,
): string | undefined {
  if (!wasThere) return '';
  const living = there.filter(({ expires }) => expires === null || expires.getTime() > now);
  const id = out.belongsTo(variable);
  const isHeld = out.get(variable) !== undefined && id !== undefined;
  const lives = isHeld && living.some((each) => each.id === id);
  if (before !== undefined && !(lives && !before.includes(RENEWED)))
    return 'that of a run that was cut off never arrived';
  if (isHeld) {
    if (lives) return undefined;
    return there.some((each) => each.id === id) ? 'it has expired' : 'it was removed';
  }
  if (living.length > 0 || !ownsToken) return undefined;
  return there.length > 0 ? 'all have expired' : 'it has none';
}

type OutTokens = Pick<Setup['out'], 'get' | 'belongsTo'>;

/** Removes tokens whose text never arrived: those that were not there before. Lists may lag, events do not. */
async function removeLost(
  client: Setup['client'],
  user: { readonly id: string; readonly organization: string },
  before: readonly string[],
): Promise<void> {
  for (const id of await madeOf(client, user.id)) if (!before.includes(id)) await removePat(client, user, id);
}

/** Ids of the tokens that the newest events have made and not removed. */
async function madeOf(client: Setup['client'], aggregate: string): Promise<readonly string[]> {
  return madeIds(client, {
    ...{ added: ['user.pat.added'], removed: ['user.pat.removed'] },
    ...{ member: 'tokenId', aggregate },
  });
}

/** Those that are listed, and those that the list does not show yet. */
async function currentPats(
  client: Setup['client'],
  user: Parameters<typeof patsOf>[1],
): Promise<readonly Credential[]> {
  const [listed, made] = await Promise.all([patsOf(client, user), madeOf(client, user.id)]);
  const unlisted = made.filter((id) => !listed.some((each) => each.id === id));
  return [...listed, ...unlisted.map((id) => ({ id, userId: user.id, created: null, expires: null }))];
}

function uncheckedToken(out: Setup['out'], variable: string, userName: string): string {
  if (out.get(variable) !== undefined) return `${variable}: kept as --out holds it; Zitadel does not show it`;
  const where = out.path === null ? 'without --out' : `${out.path} does not hold it`;
  return `${variable}: ${where}, and Zitadel does not show the tokens of ${userName}; --renew ${variable} makes a further one`;
}
