import { type ListedUser, type Member, usersNamed } from '../../../shared/zitadel/accounts.ts';
import { Failure } from '../../failure.ts';
import { setInstanceMember } from '../api/instance.ts';
import { createMachine, updateMachine, type NewMachine } from '../api/machines.ts';
import { differences, known, Plan, type Setup } from './plan.ts';
import { planToken, type TokenWanted } from './tokens.ts';

/** What Zitadel's sign-in container reads, beside the gateway's own variables. */
export const LOGIN_TOKEN = 'LOGIN_CLIENT_PAT';
const LOGIN_ROLE = 'IAM_LOGIN_CLIENT';

interface Account extends NewMachine, TokenWanted {
  readonly roles: readonly string[];
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
  const { client, own } = setup;
  const [users, members] = await Promise.all([usersNamed(client, account.userName), setup.members]);
  const found = pick(users, account.userName, own.organization.id, members);
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

/** Throws Failure for a name whose account other people could make tokens of. */
function pick(
  found: readonly ListedUser[],
  userName: string,
  organization: string,
  members: readonly Member[],
): ListedUser | undefined {
  const accounts = found.filter(({ machine }) => machine !== undefined);
  if (accounts.length === 0 && found.length > 0)
    throw new Failure(`${userName} is the name of a person: name the service account otherwise`);
  const own = accounts.find(({ details }) => details.resourceOwner === organization);
  const trusted = own ?? accounts.find(({ userId }) => members.some((each) => each.userId === userId));
  const [foreign] = accounts;
  if (trusted === undefined && foreign !== undefined)
    throw new Failure(
      `${userName} is an account of organisation ${foreign.details.resourceOwner}, whose administrators can make tokens of it, and has no rights over the instance yet: name the service account otherwise`,
    );
  return trusted;
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
