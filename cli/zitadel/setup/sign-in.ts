import {
  type LoginPolicy,
  instanceLoginPolicy,
  organizationLoginPolicy,
} from '../../../shared/zitadel/login-policy.ts';
import {
  addIdpToLogin,
  addMultiFactor,
  addSecondFactor,
  sendsSms,
  writeInstanceLoginPolicy,
  writeOrganizationLoginPolicy,
} from '../api/policies.ts';
import { nameOf } from './identity-providers.ts';
import { differences, known, Plan, type Setup } from './plan.ts';

const PASSKEY = 'MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION';

/** The instance's login policy, its factors, and who must have a second one. `providers`: until it is there, ids of identity providers are not known. */
export async function signInPart(setup: Setup, providers: Promise<unknown>): Promise<Plan> {
  const plan = new Plan();
  const { client, wanted, ids } = setup;
  const { loginPolicy, mfa, identityProviders } = wanted;
  if (loginPolicy === undefined && mfa === undefined && identityProviders.length === 0) return plan;
  const [before, homes] = await Promise.all([
    instanceLoginPolicy(client),
    mfa?.force === 'administrators' ? homesOfAdministrators(setup) : undefined,
    providers,
  ]);
  const changes = { ...loginPolicy, ...forcedInstance(mfa?.force) };
  const differing = differences(before.settings, changes);
  const settings = { ...before.settings, ...changes };
  if (differing.length === 0) plan.kept.push('login policy');
  else
    plan.change('login policy', differing.join(', '), async () => {
      // Read again and written whole: Zitadel makes false or 0 of what is left out.
      const { settings: current } = await instanceLoginPolicy(client);
      await writeInstanceLoginPolicy(client, { ...current, ...changes });
    });
  const after = { ...before, settings };
  const factors = mfa === undefined ? after : planFactors(setup, plan, mfa, after);
  for (const idp of identityProviders) {
    const what = `${nameOf(idp)} on the sign-in page`;
    const id = ids.idps.get(nameOf(idp));
    if (id !== undefined && before.idps.includes(id)) plan.kept.push(what);
    else plan.make(what, () => addIdpToLogin(client, known(ids.idps.get(nameOf(idp)), nameOf(idp))));
  }
  if (homes !== undefined) planAdministrators(setup, plan, factors, homes);
  if (mfa?.force === 'everyone' || mfa?.force === 'local')
    plan.notes.push('an organisation with a login policy of its own follows that one, not the instance’s');
  if (mfa?.secondFactors.includes('otp_sms') === true && !(await sendsSms(client)))
    plan.notes.push('codes by SMS need an SMS provider, and none is active');
  return plan;
}

type Mfa = NonNullable<Setup['wanted']['mfa']>;

function forcedInstance(force: Mfa['force'] | undefined): Readonly<Record<string, boolean>> {
  if (force === 'everyone') return { forceMfa: true };
  if (force === 'local') return { forceMfa: false, forceMfaLocalOnly: true };
  return force === 'nobody' ? { forceMfa: false, forceMfaLocalOnly: false } : {};
}

/** What is wanted beside what is allowed; nothing is taken away. */
function planFactors({ client }: Setup, plan: Plan, mfa: Mfa, policy: LoginPolicy): LoginPolicy {
  const wanted = mfa.secondFactors.map((each) => `SECOND_FACTOR_TYPE_${each.toUpperCase()}`);
  for (const type of wanted)
    if (policy.secondFactors.includes(type)) plan.kept.push(type);
    else plan.make(type, () => addSecondFactor(client, type));
  const multi = mfa.passkeys ? [PASSKEY] : [];
  for (const type of multi)
    if (policy.multiFactors.includes(type)) plan.kept.push(type);
    else plan.make(type, () => addMultiFactor(client, type));
  return {
    ...policy,
    secondFactors: [...new Set([...policy.secondFactors, ...wanted])],
    multiFactors: [...new Set([...policy.multiFactors, ...multi])],
  };
}

type Homes = readonly (readonly [organization: string, policy: LoginPolicy])[];

/** The organisations that people are in who administer the instance. */
async function homesOfAdministrators({ client, own, members }: Setup): Promise<Homes> {
  const people = (await members).filter(({ userType }) => userType !== 'TYPE_MACHINE');
  const homes = [...new Set(people.map((each) => each.userResourceOwner || own.organization.id))];
  return Promise.all(homes.map(async (home) => [home, await organizationLoginPolicy(client, home)] as const));
}

/** Zitadel forces a second factor by organisation, not by role. */
function planAdministrators(
  { client, own, ids }: Setup,
  plan: Plan,
  instance: LoginPolicy,
  homes: Homes,
): void {
  if (homes.length === 0)
    plan.notes.push('nobody but service accounts administers the instance: no organisation is forced');
  for (const [home, policy] of homes) {
    const shown = home === own.organization.id ? own.organization.name : home;
    const what = `second factor for everybody of organisation ${shown}`;
    if (policy.settings['forceMfa'] === true) {
      plan.kept.push(what);
      continue;
    }
    plan.change(what, 'forceMfa', () => {
      const idps = [...new Set([...instance.idps, ...ids.idps.values()])];
      const base = policy.inherited ? { ...instance, idps, inherited: true } : policy;
      const settings = { ...base.settings, forceMfa: true };
      return writeOrganizationLoginPolicy(client, home, { ...base, settings });
    });
  }
  plan.notes.push(
    'Zitadel forces a second factor by organisation, not by role: everybody of these organisations is asked for one, and administrators of single organisations or projects elsewhere are not. `mfa.force: everyone` asks all',
  );
}
