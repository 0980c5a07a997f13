import { createOrganization, organizationNamed } from '../api/organizations.ts';
import {
  addRole,
  createProject,
  projectsOf,
  rolesOf,
  updateProject,
  updateRole,
  type Project,
  type ProjectPlace,
} from '../api/projects.ts';
import { applicationsOf } from '../api/applications.ts';
import { planApplications } from './applications.ts';
import type { Wanted } from './file.ts';
import { differences, known, Plan, type Setup } from './plan.ts';

type ProjectWanted = NonNullable<Wanted['project']>;

/** Organisation, project, roles and applications, in this order. */
export async function projectPart(setup: Setup): Promise<Plan> {
  const plan = new Plan();
  await planOrganization(setup, plan);
  const { wanted, ids } = setup;
  if (wanted.project === undefined) return plan;
  const project = await planProject(setup, plan, wanted.project);
  const place =
    ids.organization === undefined || project === undefined
      ? undefined
      : { organization: ids.organization, project: project.id };
  const [roles, applications] = await Promise.all([
    place === undefined ? [] : rolesOf(setup.client, place),
    place === undefined ? [] : applicationsOf(setup.client, place),
  ]);
  const placed = (): ProjectPlace => ({
    organization: known(ids.organization, 'the organisation'),
    project: known(ids.project, 'the project'),
  });
  for (const { key, name = key, group } of wanted.project.roles) {
    const role = { key, displayName: name, group };
    const found = roles.find((each) => each.key === key);
    const differing = found === undefined ? [] : differences(found, role);
    const what = `role ${key}`;
    if (found === undefined) plan.make(what, () => addRole(setup.client, placed(), role));
    else if (differing.length === 0) plan.kept.push(what);
    else plan.change(what, differing.join(', '), () => updateRole(setup.client, placed(), role));
  }
  planApplications(setup, plan, applications, placed);
  return plan;
}

async function planOrganization({ client, wanted, own, ids }: Setup, plan: Plan): Promise<void> {
  if (wanted.organization === undefined) {
    ids.organization = own.organization.id;
    plan.kept.push(`organisation ${own.organization.name}`);
    return;
  }
  const { name } = wanted.organization;
  const what = `organisation ${name}`;
  const found = await organizationNamed(client, name);
  if (found === undefined) {
    plan.make(what, async () => {
      ids.organization = await createOrganization(client, name);
    });
    return;
  }
  ids.organization = found.id;
  plan.kept.push(what);
  if (found.state === 'ORGANIZATION_STATE_INACTIVE')
    plan.notes.push(`${what} is deactivated: nobody of it can sign in until it is activated`);
}

async function planProject(
  { client, ids, out }: Setup,
  plan: Plan,
  { name, roleAssertion, roleCheck, projectCheck, audience }: ProjectWanted,
): Promise<Project | undefined> {
  const wanted = {
    projectRoleAssertion: roleAssertion,
    projectRoleCheck: roleCheck,
    hasProjectCheck: projectCheck,
  };
  const what = `project ${name}`;
  const projects = ids.organization === undefined ? [] : await projectsOf(client, ids.organization);
  const found = projects.find((each) => each.name === name);
  // Tokens of service accounts name the project and no application of it; those of people name both. Personal access
  // tokens, whose `aud` introspection makes up, count by their organisation alone.
  const keep = (id: string, to = out): Promise<void> =>
    audience ? to.keepAmong('ZITADEL_AUDIENCE', id) : Promise.resolve();
  if (found === undefined) {
    const settings = { ...wanted, privateLabelingSetting: 'PRIVATE_LABELING_SETTING_UNSPECIFIED' };
    plan.make(what, async () => {
      ids.project = await createProject(client, known(ids.organization, 'the organisation'), name, settings);
      await keep(ids.project);
    });
    return undefined;
  }
  ids.project = found.id;
  if (found.state === 'PROJECT_STATE_INACTIVE')
    plan.notes.push(`${what} is deactivated: nobody signs in to it until it is activated`);
  plan.values.push((to) => keep(found.id, to));
  const differing = differences(found, wanted);
  const settings = { ...wanted, privateLabelingSetting: found.privateLabelingSetting };
  if (differing.length === 0) plan.kept.push(what);
  else
    plan.change(what, differing.join(', '), () => {
      const place = { organization: known(ids.organization, 'the organisation'), project: found.id };
      return updateProject(client, place, name, settings);
    });
  return found;
}
