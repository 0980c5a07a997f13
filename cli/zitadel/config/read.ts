import * as z from 'zod';
import { executionsOf, targetsOf } from '../api/actions.ts';
import { applicationsOf, settingsOf as oidcSettings } from '../api/applications.ts';
import { orAbsent, type ZitadelClient } from '../api/client.ts';
import { emailProviders, isActive } from '../api/email.ts';
import { instanceOf } from '../api/instance.ts';
import { organizations as listOrganizations } from '../api/organizations.ts';
import { instanceLoginPolicy, organizationLoginPolicy, type LoginPolicy } from '../api/policies.ts';
import { projectsOf, rolesOf } from '../api/projects.ts';
import { OWN_PROJECT, DOMAIN_POLICY, POLICIES, type PolicyKind } from './kinds.ts';
import { readActions } from './actions.ts';
import { readIdps } from './idps.ts';
import {
  settingsOf,
  Settings,
  type Configuration,
  type Ids,
  type Login,
  type Mail,
  type Organization,
} from './model.ts';
import { byName } from './order.ts';
import { readTexts, textPlaces, type TextPlace } from './texts.ts';

export interface Read {
  readonly configuration: Configuration;
  readonly ids: Ids;
  /** What there is and no file can carry. */
  readonly notes: readonly string[];
}

const TOGETHER = 6;

/** Everything that files can hold of an instance. */
export async function readConfiguration(client: ZitadelClient): Promise<Read> {
  const ids: Ids = new Map();
  const notes: string[] = [];
  const [{ domains }, all, standard, places, idps] = await Promise.all([
    instanceOf(client),
    listOrganizations(client),
    defaultOrganization(client),
    textPlaces(client),
    readIdps(client, ids),
  ]);
  const hosts = domains.map(({ domain }) => domain);
  const living = all.filter(({ state }) => state !== 'ORGANIZATION_STATE_REMOVED');
  const organizations: Organization[] = [];
  for (let at = 0; at < living.length; at += TOGETHER)
    organizations.push(
      ...(await Promise.all(
        living.slice(at, at + TOGETHER).map((each) => {
          ids.set(`organisation ${each.name}`, each.id);
          return readOrganization(
            client,
            ids,
            notes,
            { ...each, isDefault: each.id === standard, hosts },
            places,
          );
        }),
      )),
    );
  const instance = await readInstance(client, ids, places, idps);
  organizations.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { configuration: { instance, organizations }, ids, notes };
}

async function defaultOrganization(client: ZitadelClient): Promise<string | undefined> {
  const shape = z.object({ org: z.object({ id: z.string() }) });
  const call = { method: 'GET', path: '/admin/v1/orgs/default', right: 'iam.read' } as const;
  return (await orAbsent(client.call(shape, call)))?.org.id;
}

async function readInstance(
  client: ZitadelClient,
  ids: Ids,
  places: readonly TextPlace[],
  idps: Configuration['instance']['idps'],
): Promise<Configuration['instance']> {
  const [login, mails, targets, executions, texts, policies] = await Promise.all([
    instanceLoginPolicy(client),
    emailProviders(client),
    targetsOf(client),
    executionsOf(client),
    readTexts(client, places, undefined),
    readPolicies(client),
  ]);
  for (const { id, name } of targets) ids.set(`target ${name}`, id);
  const mail = mails.flatMap((each): Mail[] => {
    if (each.smtp === undefined) return [];
    ids.set(`mail server ${each.smtp.host}`, each.id);
    const user = each.smtp.user === '' ? {} : { password: { env: 'ZITADEL_SMTP_PASSWORD' } };
    return [{ description: each.description, active: isActive(each), smtp: settingsOf(each.smtp), ...user }];
  });
  const targetName = (id: string): string => targets.find((each) => each.id === id)?.name ?? '';
  return {
    ...{ login: loginOf(login, ids), policies, texts, idps },
    mail: mail.sort((one, other) => (JSON.stringify(one.smtp) < JSON.stringify(other.smtp) ? -1 : 1)),
    targets: targets
      .map((each) => ({
        name: each.name,
        settings: {
          ...settingsOf(each, 'name', 'signingKey', 'payloadType'),
          ...payloadOf(each),
          ...kindOf(each),
        },
      }))
      .sort(byName),
    executions: executions
      .map(({ condition, targets: of }) => ({
        condition,
        targets: of.map(targetName).filter((each) => each !== ''),
      }))
      .sort((one, other) => (JSON.stringify(one.condition) < JSON.stringify(other.condition) ? -1 : 1)),
  };
}

function payloadOf({ payloadType }: { readonly payloadType: string }): Settings {
  return payloadType === 'PAYLOAD_TYPE_JSON' ? {} : { payloadType };
}

/** Empty, but said: it is the kind of the target. */
function kindOf({ restAsync }: { readonly restAsync?: object | undefined }): Settings {
  return restAsync === undefined ? {} : { restAsync: {} };
}

function loginOf({ settings, secondFactors, multiFactors, idps }: LoginPolicy, ids: Ids): Login {
  const named = [...ids].flatMap(([name, id]) =>
    name.startsWith('idp ') && idps.includes(id) ? [name.slice(4)] : [],
  );
  return {
    settings: settingsOf(settings),
    secondFactors: [...secondFactors].sort(),
    multiFactors: [...multiFactors].sort(),
    idps: named.sort(),
  };
}

async function readPolicies(client: ZitadelClient): Promise<Record<string, Settings>> {
  const read = await Promise.all(
    POLICIES.map(
      async (kind) => [kind, await policyAt(client, kind, `/admin/v1${kind.read}`, undefined)] as const,
    ),
  );
  return Object.fromEntries(
    read.flatMap(([{ name }, policy]) => (policy === undefined ? [] : [[name, policy.settings]])),
  );
}

interface PolicyRead {
  readonly settings: Settings;
  /** Of an organisation: that it is the instance's. */
  readonly inherited: boolean;
}

/** Undefined where this release has none of the kind. */
export async function policyAt(
  client: ZitadelClient,
  { member = 'policy', without = [] }: PolicyKind,
  path: string,
  organization: string | undefined,
): Promise<PolicyRead | undefined> {
  const call = { method: 'GET', path, organization, right: 'policy.read' } as const;
  const answer = await orAbsent(client.call(Settings, call));
  const policy = Settings.safeParse(answer?.[member]).data;
  if (policy === undefined) return undefined;
  return {
    settings: settingsOf(policy, ...without),
    inherited: policy['isDefault'] === true || answer?.['isDefault'] === true,
  };
}

type Listed = Awaited<ReturnType<typeof listOrganizations>>[number] & {
  readonly isDefault: boolean;
  /** Domains of the instance. */
  readonly hosts: readonly string[];
};

async function readOrganization(
  client: ZitadelClient,
  ids: Ids,
  notes: string[],
  { id, name, isDefault, hosts }: Listed,
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
  return {
    ...{ name, isDefault, policies, texts, actions, triggers },
    domains: domains.filter((domain) => !isMade(domain, name, hosts)).sort(),
    ...(!login.inherited && { login: loginOf(login, ids) }),
    projects: (
      await Promise.all(own.map((each) => readProject(client, ids, notes, { id, name }, each)))
    ).sort(byName),
  };
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
  const { result } = await client.call(z.object({ result: z.array(Domain).default([]) }), {
    method: 'POST',
    path: '/management/v1/orgs/me/domains/_search',
    organization,
    body: {},
    right: 'org.read',
  });
  return result.map(({ domainName }) => domainName);
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

export function ownPathOf({ name, own }: PolicyKind, organization: string): string | undefined {
  if (name === DOMAIN_POLICY) return `/admin/v1/orgs/${organization}/policies/domain`;
  return own === undefined ? undefined : `/management/v1${own}`;
}

async function readProject(
  client: ZitadelClient,
  ids: Ids,
  notes: string[],
  organization: { readonly id: string; readonly name: string },
  {
    id,
    name,
    projectRoleAssertion,
    projectRoleCheck,
    hasProjectCheck,
    privateLabelingSetting,
  }: Awaited<ReturnType<typeof projectsOf>>[number],
): Promise<Organization['projects'][number]> {
  const place = { organization: organization.id, project: id };
  const path = `${organization.name}/${name}`;
  ids.set(`project ${path}`, id);
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
