import * as z from 'zod';
import { organizationLoginPolicy } from '../../../shared/zitadel/login-policy.ts';
import { listed } from '../../../shared/zitadel/reader.ts';
import { applicationsOf, settingsOf as oidcSettings } from '../api/applications.ts';
import type { ZitadelClient } from '../api/client.ts';
import type { organizations } from '../api/organizations.ts';
import { projectsOf, rolesOf } from '../api/projects.ts';
import { readActions } from './actions.ts';
import { OWN_PROJECT, POLICIES } from './kinds.ts';
import { settingsOf, type Settings, type Ids, type Organization } from './model.ts';
import { byName } from './order.ts';
import { loginOf, ownPathOf, policyAt } from './read-policies.ts';
import { readTexts, type TextPlace } from './texts.ts';

type Listed = Awaited<ReturnType<typeof organizations>>[number] & {
  readonly isDefault: boolean;
  /** Domains of the instance. */
  readonly hosts: readonly string[];
};

export async function readOrganization(
  client: ZitadelClient,
  ids: Ids,
  notes: string[],
  { id, name, state, isDefault, hosts }: Listed,
  places: readonly TextPlace[],
): Promise<Organization> {
  const [projects, login, policies, texts, domains, { actions, triggers }] = await Promise.all([
    projectsOf(client, id),
    organizationLoginPolicy(client, id),
    ownPolicies(client, id),
    readTexts(client, places, id),
    domainsOf(client, id),
    readActions(client, ids, { id, name }),
  ]);
  const own = projects.filter((each) => each.name !== OWN_PROJECT);
  noteInactive(notes, state, `organisation ${name}`);
  return {
    ...{ name, isDefault, policies, texts, actions, triggers },
    domains: domains.filter((domain) => !isMade(domain, name, hosts)).sort(),
    ...(!login.inherited && { login: loginOf(login, ids) }),
    projects: (
      await Promise.all(own.map((each) => readProject(client, ids, notes, { id, name }, each)))
    ).sort(byName),
  };
}

/** Files have no states, so that an import makes it active. */
function noteInactive(notes: string[], state: string, what: string): void {
  if (state.endsWith('_INACTIVE')) notes.push(`${what} is deactivated, and an import makes it active`);
}

/** What Zitadel makes of the organisation's name and a domain of its own. */
function isMade(domain: string, name: string, hosts: readonly string[]): boolean {
  const label = name
    .toLowerCase()
    .replaceAll(/\s/g, '-')
    .replaceAll(/[^\p{L}\p{M}\p{N}-]/gu, '')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
  return hosts.some((host) => domain === `${label}.${host}`);
}

const Domain = z.object({ domainName: z.string() });

async function domainsOf(client: ZitadelClient, organization: string): Promise<readonly string[]> {
  const path = '/management/v1/orgs/me/domains/_search';
  const found = await listed(client, Domain, { path, organization, right: 'org.read' });
  return found.map(({ domainName }) => domainName);
}

async function ownPolicies(client: ZitadelClient, organization: string): Promise<Record<string, Settings>> {
  const read = await Promise.all(
    POLICIES.flatMap((kind) => {
      const path = ownPathOf(kind, organization);
      return path === undefined
        ? []
        : [policyAt(client, kind, path, organization).then((policy) => [kind, policy] as const)];
    }),
  );
  return Object.fromEntries(
    read.flatMap(([{ name }, policy]) =>
      policy === undefined || policy.inherited ? [] : [[name, policy.settings]],
    ),
  );
}

async function readProject(
  client: ZitadelClient,
  ids: Ids,
  notes: string[],
  organization: { readonly id: string; readonly name: string },
  {
    id,
    name,
    state,
    projectRoleAssertion,
    projectRoleCheck,
    hasProjectCheck,
    privateLabelingSetting,
  }: Awaited<ReturnType<typeof projectsOf>>[number],
): Promise<Organization['projects'][number]> {
  const place = { organization: organization.id, project: id };
  const path = `${organization.name}/${name}`;
  ids.set(`project ${path}`, id);
  noteInactive(notes, state, `project ${path}`);
  const [roles, applications] = await Promise.all([rolesOf(client, place), applicationsOf(client, place)]);
  const labeling =
    privateLabelingSetting === 'PRIVATE_LABELING_SETTING_UNSPECIFIED' ? {} : { privateLabelingSetting };
  return {
    name,
    settings: settingsOf({ projectRoleAssertion, projectRoleCheck, hasProjectCheck, ...labeling }),
    roles: roles
      .map(({ key, displayName, group }) => ({ key, displayName, group }))
      .sort((one, other) => (one.key < other.key ? -1 : 1)),
    applications: applications
      .flatMap((each): Organization['projects'][number]['applications'] => {
        ids.set(`application ${path}/${each.name}`, each.id);
        noteInactive(notes, each.state, `application ${path}/${each.name}`);
        if (each.apiConfig !== undefined)
          return [
            { name: each.name, kind: 'api', settings: { authMethodType: each.apiConfig.authMethodType } },
          ];
        if (each.oidcConfig !== undefined)
          return [{ name: each.name, kind: 'oidc', settings: settingsOf(oidcSettings(each.oidcConfig)) }];
        notes.push(
          `application ${path}/${each.name} is of SAML: its certificates are its own, so it is left out`,
        );
        return [];
      })
      .sort(byName),
  };
}
