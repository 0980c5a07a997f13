import * as z from 'zod';
import { executionsOf, targetsOf } from '../../../shared/zitadel/actions.ts';
import { instanceOf } from '../../../shared/zitadel/instance.ts';
import { instanceLoginPolicy } from '../../../shared/zitadel/login-policy.ts';
import { orAbsent } from '../../../shared/zitadel/reader.ts';
import type { ZitadelClient } from '../api/client.ts';
import { emailProviders, isActive } from '../api/email.ts';
import { organizations as listOrganizations } from '../api/organizations.ts';
import { mailKey, POLICIES } from './kinds.ts';
import { readIdps } from './idps.ts';
import {
  settingsOf,
  type Configuration,
  type Ids,
  type Mail,
  type Organization,
  type Settings,
} from './model.ts';
import { byName } from './order.ts';
import { readOrganization } from './read-organization.ts';
import { loginOf, policyAt } from './read-policies.ts';
import { readTexts, textPlaces, type TextPlace } from './texts.ts';

export interface Read {
  readonly configuration: Configuration;
  readonly ids: Ids;
  /** Secrets. Of targets, by their names. */
  readonly signingKeys: ReadonlyMap<string, string>;
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
  const signingKeys = new Map<string, string>();
  const instance = await readInstance(client, ids, signingKeys, places, idps);
  organizations.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { configuration: { instance, organizations }, ids, signingKeys, notes };
}

async function defaultOrganization(client: ZitadelClient): Promise<string | undefined> {
  const shape = z.object({ org: z.object({ id: z.string() }) });
  const call = { method: 'GET', path: '/admin/v1/orgs/default', right: 'iam.read' } as const;
  return (await orAbsent(client.call(shape, call)))?.org.id;
}

async function readInstance(
  client: ZitadelClient,
  ids: Ids,
  signingKeys: Map<string, string>,
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
  for (const { id, name, signingKey } of targets) {
    ids.set(`target ${name}`, id);
    if (signingKey !== '') signingKeys.set(name, signingKey);
  }
  // Of several of one host and sender that which is active counts.
  const mail = [...mails]
    .sort((one, other) => Number(isActive(other)) - Number(isActive(one)))
    .flatMap((each): Mail[] => {
      if (each.smtp === undefined || ids.has(mailKey(each.smtp))) return [];
      ids.set(mailKey(each.smtp), each.id);
      const user = each.smtp.user === '' ? {} : { password: { env: 'ZITADEL_SMTP_PASSWORD' } };
      return [
        { description: each.description, active: isActive(each), smtp: settingsOf(each.smtp), ...user },
      ];
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
