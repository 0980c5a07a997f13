import { instanceMembers, ownUser } from '../../../shared/zitadel/accounts.ts';
import { instanceOf } from '../../../shared/zitadel/instance.ts';
import { permissionsOf } from '../api/instance.ts';
import { ownOrganization } from '../api/organizations.ts';
import { Failure } from '../../failure.ts';
import { accountsPart } from './accounts.ts';
import { eventsPart } from './events.ts';
import { identityProvidersPart } from './identity-providers.ts';
import { mailPart } from './mail.ts';
import { branchesOf, type Setup } from './plan.ts';
import type { Found } from './run.ts';
import { projectPart } from './project.ts';
import { signInPart } from './sign-in.ts';

/** What a set-up is given. */
export type SetupOf = Omit<Setup, 'own' | 'ids' | 'members'>;

/** Where it is carried out, and as whom: it stays as it is. */
export interface Place extends Pick<Setup, 'own'> {
  readonly instance: { readonly name: string; readonly version: string };
}

/** Throws Failure when a right is missing that `writes` needs, before anything is changed. */
export async function placeOf({ client }: SetupOf, writes: boolean): Promise<Place> {
  const reading = Promise.all([instanceOf(client), ownUser(client), ownOrganization(client)]);
  const allowed = permissionsOf(client).then((held) => {
    if (writes) mustWrite(held);
  });
  // What an account may not even read is not worth saying where it lacks more.
  await Promise.allSettled([reading, allowed]);
  await allowed;
  const [instance, user, organization] = await reading;
  return { instance, own: { user, organization } };
}

/** Reads everything that the file is about, changes nothing. */
export async function survey(of: SetupOf, { own }: Place): Promise<Found> {
  const members = instanceMembers(of.client);
  const setup: Setup = { ...of, members, own, ids: { idps: new Map() } };
  const providers = identityProvidersPart(setup);
  const [project, accounts, mail, idps, signIn, events] = await Promise.all([
    projectPart(setup),
    accountsPart(setup),
    mailPart(setup),
    providers,
    signInPart(setup, providers),
    eventsPart(setup),
    members,
  ]);
  // What is written to the instance itself is written one after another.
  const parts = [[project], [accounts], [mail, idps, signIn], [events]];
  return { out: of.out, plans: parts.flat(), ...branchesOf(parts) };
}

/** Of IAM_OWNER, and not of IAM_OWNER_VIEWER. */
const NEEDED = ['iam.write', 'iam.policy.write', 'iam.member.write', 'org.create', 'user.write'];

function mustWrite(held: readonly string[]): void {
  // A release that does not say refuses the first call instead, and nothing has been changed then either.
  if (held.length === 0) return;
  const missing = NEEDED.filter((right) => !held.includes(right));
  if (missing.length > 0)
    throw new Failure(
      `the account of ZITADEL_SERVICE_TOKEN lacks ${missing.join(', ')}: set-up needs the role IAM_OWNER. Nothing was changed`,
    );
}
