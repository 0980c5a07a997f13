import { Nothing } from '../api/client.ts';
import { createOrganization } from '../api/organizations.ts';
import { known, Plan } from '../setup/plan.ts';
import { planInstance, shownOf } from './apply-instance.ts';
import { planActions } from './apply-actions.ts';
import { planLogin, planPolicies, planTexts } from './apply-policies.ts';
import { planProjects } from './apply-projects.ts';
import type { Carrying } from './carrying.ts';
import type { Configuration, Organization } from './model.ts';
import type { Read } from './read.ts';

/** What is to be made and changed so that the instance is as the files say. What is only there stays. */
export function planImport(
  { client, out }: Pick<Carrying, 'client' | 'out'>,
  { configuration: there, ids, signingKeys }: Read,
  wanted: Configuration,
): Plan {
  const plan = new Plan();
  const carrying: Carrying = { client, out, ids, signingKeys, plan };
  const shown = { there: shownIn(there), wanted: shownIn(wanted) };
  const silent = planInstance(carrying, there.instance, wanted.instance, shown);
  for (const organization of wanted.organizations)
    planOrganization(carrying, organizationThere(there, organization), {
      ...organization,
      ...(organization.login !== undefined && { login: shownOf(organization.login, silent) }),
    });
  return plan;
}

function shownIn({ instance, organizations }: Configuration): ReadonlySet<string> {
  return new Set([...instance.login.idps, ...organizations.flatMap(({ login }) => login?.idps ?? [])]);
}

/** By name; the one that people without another belong to is the same one at every instance. */
function organizationThere(
  { organizations }: Configuration,
  { name, isDefault }: Organization,
): Organization | undefined {
  return (
    organizations.find((each) => each.name === name) ??
    organizations.find((each) => isDefault && each.isDefault)
  );
}

function planOrganization(carrying: Carrying, there: Organization | undefined, wanted: Organization): void {
  const { client, ids, plan } = carrying;
  const { name } = wanted;
  const key = `organisation ${name}`;
  if (there === undefined)
    plan.make(key, async () => {
      ids.set(key, await createOrganization(client, name));
    });
  else if (there.name === name) plan.kept.push(key);
  else {
    const id = known(ids.get(`organisation ${there.name}`), key);
    // What is below it is looked up by its new name.
    for (const [each, of] of ids) ids.set(renamed(each, there.name, name), of);
    plan.change(key, `it is called ${there.name}`, async () => {
      const right = 'org.write';
      await client.call(Nothing, {
        method: 'PUT',
        path: '/management/v1/orgs/me',
        organization: id,
        body: { name },
        right,
      });
    });
  }
  const id = (): string => known(ids.get(key), key);
  for (const domain of wanted.domains)
    if (there?.domains.includes(domain) === true) plan.kept.push(`domain ${domain}`);
    else {
      plan.make(`domain ${domain} of ${name}`, async () => {
        const path = '/management/v1/orgs/me/domains';
        await client.call(Nothing, {
          method: 'POST',
          path,
          organization: id(),
          body: { domain },
          right: 'org.write',
        });
      });
      plan.notes.push(`domain ${domain} of ${name} has to be verified where the domain policy says so`);
    }
  if (wanted.login !== undefined) planLogin(carrying, { name, id }, there?.login, wanted.login);
  planPolicies(carrying, { name, id }, there?.policies ?? {}, wanted.policies);
  planTexts(carrying, { name, id }, there?.texts ?? {}, wanted.texts);
  planProjects(carrying, { name, id }, there?.projects ?? [], wanted.projects);
  planActions(carrying, { name, id }, there, wanted);
}

function renamed(key: string, from: string, to: string): string {
  const [, kind, rest] = /^(\S+) (.*)$/s.exec(key) ?? [];
  if (kind === undefined || rest === undefined) return key;
  if (kind === 'organisation') return rest === from ? `organisation ${to}` : key;
  return ['project', 'application', 'action'].includes(kind) && rest.startsWith(`${from}/`)
    ? `${kind} ${to}${rest.slice(from.length)}`
    : key;
}
