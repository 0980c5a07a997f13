import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import type { Instance } from '../database/instances.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import type { Finding } from './findings.ts';

/** What the settings of an instance are, for the report. */
export interface InstanceSettings {
  readonly id: string;
  readonly name: string;
  readonly domains: readonly string[];
  readonly web_keys: Readonly<Record<'initial' | 'active' | 'inactive', number>>;
  readonly login_v2: { readonly required: boolean; readonly base_uri: string | null };
}

const WebKeys = z.object({
  instance: z.string(),
  initial: z.number(),
  active: z.number(),
  inactive: z.number(),
});
const Features = z.object({ instance: z.string(), value: z.unknown() });
const LoginV2 = z
  .object({
    required: z.boolean().default(false),
    base_uri: z.object({ Scheme: z.string(), Host: z.string(), Path: z.string() }).nullish(),
  })
  .catch({ required: false });
const LoginClients = z.object({ instance: z.string(), clients: z.number() });

/** Web keys, domains and Login v2 of each instance, and what is wrong with them. */
export async function settingsOf(
  zitadel: ZitadelDatabase,
  instances: readonly Instance[],
  external: External,
): Promise<{ readonly settings: readonly InstanceSettings[]; readonly findings: readonly Finding[] }> {
  const { catalogue } = zitadel;
  const keys = catalogue.nameOf('web_keys') === null ? [] : await webKeys(zitadel);
  const features =
    catalogue.nameOf('instance_features') === null
      ? []
      : await zitadel.query(
          sql`select instance_id as instance, value from ${catalogue.table('instance_features')} where key = 'login_v2'`,
          Features,
        );
  const clients = await zitadel.query(
    sql`select instance_id as instance, count(*) as clients from ${catalogue.table('instance_members')}
        where roles && array['IAM_LOGIN_CLIENT', 'IAM_OWNER'] group by 1`,
    LoginClients,
  );
  const settings = instances.map(({ id, name, domains }): InstanceSettings => {
    const { initial = 0, active = 0, inactive = 0 } = keys.find(({ instance }) => instance === id) ?? {};
    const login = LoginV2.parse(features.find(({ instance }) => instance === id)?.value);
    const uri = login.base_uri;
    return {
      id,
      name,
      domains,
      web_keys: { initial, active, inactive },
      login_v2: { required: login.required, base_uri: uri ? `${uri.Scheme}://${uri.Host}${uri.Path}` : null },
    };
  });
  const findings = settings.flatMap((each) => [
    ...keyFaults(each),
    ...domainFaults(each),
    ...loginFaults(each, clients.find(({ instance }) => instance === each.id)?.clients ?? 0),
  ]);
  return { settings, findings: [...findings, ...externalFaults(settings, external)] };
}

/** domain.WebKeyState: 1 initial, 2 active, 3 inactive. */
async function webKeys(zitadel: ZitadelDatabase): Promise<z.output<typeof WebKeys>[]> {
  return zitadel.query(
    sql`select instance_id as instance, count(*) filter (where state = 1) as initial, count(*) filter (where state = 2) as active,
          count(*) filter (where state = 3) as inactive
        from ${zitadel.catalogue.table('web_keys')} group by 1`,
    WebKeys,
  );
}

function fault(
  check: Finding['check'],
  id: string,
  expected: string,
  found: string,
  isFault = true,
): Finding {
  return { check, what: `instance ${id}`, expected, found, samples: [], fault: isFault };
}

/** Before web keys, releases signed by key pairs that they made themselves: then there are none at all. */
function keyFaults({ id, web_keys: { initial, active, inactive } }: InstanceSettings): Finding[] {
  if (active === 1) return [];
  if (initial + active + inactive === 0)
    return [
      fault('web keys', id, 'an active web key', 'none at all: fit only for releases before v4', false),
    ];
  return [fault('web keys', id, 'one active web key', `${active}: no token can be signed without it`)];
}

function domainFaults({ id, domains }: InstanceSettings): Finding[] {
  return domains.length > 0 ? [] : [fault('domains', id, 'a domain', 'none: no request reaches it')];
}

function loginFaults({ id, login_v2 }: InstanceSettings, clients: number): Finding[] {
  if (!login_v2.required || clients > 0) return [];
  return [
    fault(
      'login v2',
      id,
      'a member with IAM_LOGIN_CLIENT',
      'none, while Login v2 is required: nobody can sign in',
      false,
    ),
  ];
}

interface External {
  readonly domain: string | null;
  readonly stated: boolean;
}

function externalFaults(
  settings: readonly InstanceSettings[],
  { domain: external, stated }: External,
): Finding[] {
  if (external === null) return [];
  const domains = settings.flatMap((each) => each.domains);
  if (domains.some((domain) => domain.toLowerCase() === external.toLowerCase())) return [];
  return [
    {
      check: 'domains',
      what: stated ? 'ZITADEL_EXTERNALDOMAIN' : 'host of ZITADEL_ISSUER_URL',
      expected: external,
      found: domains.join(', '),
      samples: [],
      fault: stated,
    },
  ];
}
