import { Failure } from '../../failure.ts';
import { newestIds } from '../api/events.ts';
import { setInstanceMember, type Member } from '../api/instance.ts';
import {
  createMachine,
  createPat,
  patsOf,
  removePat,
  updateMachine,
  usersNamed,
  type ListedUser,
  type NewMachine,
  type Pat,
} from '../api/machines.ts';
import { differences, known, Plan, RENEWED, type Setup } from './plan.ts';

/** What Zitadel's sign-in container reads, beside the gateway's own variables. */
export const LOGIN_TOKEN = 'LOGIN_CLIENT_PAT';
const LOGIN_ROLE = 'IAM_LOGIN_CLIENT';
const DAY_MS = 86_400_000;

interface Account extends NewMachine {
  readonly roles: readonly string[];
  readonly variable: string;
  readonly days: number;
  /** Makes a token also where the account was there before without any. */
  readonly ownsToken: boolean;
}

/**
 * Service accounts, in the organisation of the account in use: whoever administers an organisation may make tokens of its accounts,
 * so an account with rights over the instance belongs where the instance's administrators are.
 */
export async function accountsPart(setup: Setup): Promise<Plan> {
  const plan = new Plan();
  const { serviceAccount, loginClient } = setup.wanted;
  if (serviceAccount === undefined && loginClient === undefined) return plan;
  const accounts: Account[] = [];
  if (serviceAccount !== undefined)
    accounts.push({
      userName: serviceAccount.username,
      name: serviceAccount.name ?? serviceAccount.username,
      description: serviceAccount.description,
      roles: serviceAccount.roles,
      ...{ variable: 'ZITADEL_SERVICE_TOKEN', days: serviceAccount.pat.days, ownsToken: true },
    });
  if (loginClient !== undefined) {
    const { username, pat } = loginClient;
    const description = 'the sign-in pages';
    const roles = [LOGIN_ROLE];
    accounts.push({
      ...{ userName: username, name: username, description, roles },
      ...{ variable: LOGIN_TOKEN, days: pat.days, ownsToken: false },
    });
  }
  await Promise.all(accounts.map((account) => planAccount(setup, plan, account)));
  return plan;
}

async function planAccount(setup: Setup, plan: Plan, account: Account): Promise<void> {
  const { client, own, members } = setup;
  const found = pick(await usersNamed(client, account.userName), account.userName, own.organization.id);
  const other = members.find(({ roles }) => roles.includes(LOGIN_ROLE));
  if (found === undefined && account.variable === LOGIN_TOKEN && other !== undefined) {
    plan.kept.push(`login client ${other.preferredLoginName || other.userId}`);
    return;
  }
  let userId = found?.userId;
  const what = `service account ${account.userName}`;
  if (found === undefined)
    plan.make(what, async () => {
      userId = await createMachine(client, own.organization.id, account);
    });
  else planExisting(setup, plan, account, found);
  const user = (): { readonly id: string; readonly organization: string } => ({
    id: known(userId, what),
    organization: found?.details.resourceOwner ?? own.organization.id,
  });
  planRights(
    setup,
    plan,
    account,
    user,
    members.find((each) => each.userId === found?.userId),
  );
  await planToken(setup, plan, account, user, found !== undefined);
}

function pick(found: readonly ListedUser[], userName: string, organization: string): ListedUser | undefined {
  const accounts = found.filter(({ machine }) => machine !== undefined);
  if (accounts.length === 0 && found.length > 0)
    throw new Failure(`${userName} is the name of a person: name the service account otherwise`);
  return accounts.find(({ details }) => details.resourceOwner === organization) ?? accounts[0];
}

function planExisting({ client }: Setup, plan: Plan, account: Account, found: ListedUser): void {
  const { userName, name, description, ownsToken } = account;
  const what = `service account ${userName}`;
  const { machine, state, details } = found;
  if (state !== 'USER_STATE_ACTIVE')
    plan.notes.push(
      `${what} is not active: Zitadel has ended its tokens for good. Reactivate it, and add --renew ${account.variable}`,
    );
  // What the first instance has made has its own words.
  const differing = machine === undefined || !ownsToken ? [] : differences(machine, { name, description });
  if (differing.length === 0 || machine === undefined) {
    plan.kept.push(what);
    return;
  }
  const user = { id: found.userId, organization: details.resourceOwner };
  const { accessTokenType } = machine;
  plan.change(what, differing.join(', '), () =>
    updateMachine(client, user, { name, description, accessTokenType }),
  );
}

function planRights(
  { client, own }: Setup,
  plan: Plan,
  { userName, roles }: Account,
  user: () => { readonly id: string },
  member: Member | undefined,
): void {
  const what = `rights of ${userName}`;
  const held = member?.roles ?? [];
  if (differences({ roles: held }, { roles }).length === 0) {
    plan.kept.push(what);
    return;
  }
  if (member?.userId === own.user && !roles.includes('IAM_OWNER'))
    throw new Failure(
      `${userName} is the account of ZITADEL_SERVICE_TOKEN: with ${roles.join(', ')} alone it could not end what it begins. Run this with a token of another administrator`,
    );
  const why = held.length === 0 ? '' : `${held.join(', ')}, and should be ${roles.join(', ')}`;
  const run = (): Promise<void> => setInstanceMember(client, user().id, roles, member !== undefined);
  const action = held.length === 0 ? 'make' : 'change';
  plan.steps.push({ action, what, why, run, last: true });
}

async function planToken(
  { client, out, renew, now }: Setup,
  plan: Plan,
  { userName, variable, days, ownsToken }: Account,
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
  };
  const reason = whyMade({ there, variable, before, wasThere, ownsToken }, out, now());
  if (reason === undefined && !renew.has(variable)) {
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
  readonly there: readonly Pat[];
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
  const living = there.filter(({ expires }) => expires === '' || Date.parse(expires) > now);
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
  const of = { member: 'tokenId', aggregate };
  const [added, removed] = await Promise.all([
    newestIds(client, { types: ['user.pat.added'], ...of }),
    newestIds(client, { types: ['user.pat.removed'], ...of }),
  ]);
  return added.filter((id) => !removed.includes(id));
}

/** Those that are listed, and those that the list does not show yet. */
async function currentPats(
  client: Setup['client'],
  user: Parameters<typeof patsOf>[1],
): Promise<readonly Pat[]> {
  const [listed, made] = await Promise.all([patsOf(client, user), madeOf(client, user.id)]);
  const unlisted = made.filter((id) => !listed.some((each) => each.id === id));
  return [...listed, ...unlisted.map((id) => ({ id, userId: user.id, created: '', expires: '' }))];
}

function uncheckedToken(out: Setup['out'], variable: string, userName: string): string {
  if (out.get(variable) !== undefined) return `${variable}: kept as --out holds it; Zitadel does not show it`;
  const where = out.path === null ? 'without --out' : `${out.path} does not hold it`;
  return `${variable}: ${where}, and Zitadel does not show the tokens of ${userName}; --renew ${variable} makes a further one`;
}
