import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import type { Instance } from '../database/instances.ts';
import type { ZitadelDatabase } from '../database/open.ts';

const LoginPolicyRow = z.object({
  org: z.string(),
  is_default: z.boolean(),
  allow_register: z.boolean(),
  allow_username_password: z.boolean(),
  ignore_unknown_usernames: z.boolean(),
  allow_domain_discovery: z.boolean(),
  disable_login_with_email: z.boolean(),
  disable_login_with_phone: z.boolean(),
});

export type LoginPolicy = z.output<typeof LoginPolicyRow>;

/** What Zitadel takes where an instance has no policy at all. */
const WITHOUT: LoginPolicy = {
  org: '',
  is_default: true,
  allow_register: true,
  allow_username_password: true,
  ignore_unknown_usernames: false,
  allow_domain_discovery: true,
  disable_login_with_email: false,
  disable_login_with_phone: false,
};

/** The login policy of an organisation: its own, else that of the instance. */
export type LoginPolicies = (org: string | null) => LoginPolicy;

/** Reads the instance's own and those of the organisations. */
export async function readLoginPolicies(
  zitadel: ZitadelDatabase,
  instance: string,
  orgs: readonly string[],
): Promise<LoginPolicies> {
  const rows = await zitadel.query(
    sql`select aggregate_id as org, is_default, allow_register, allow_username_password, ignore_unknown_usernames,
          allow_domain_discovery, disable_login_with_email, disable_login_with_phone
        from ${zitadel.catalogue.table('login_policies')}
        where instance_id = ${instance} and (is_default or aggregate_id = any(${orgs}))`,
    LoginPolicyRow,
  );
  const own = new Map(rows.filter((row) => !row.is_default).map((row) => [row.org, row]));
  const base = rows.find((row) => row.is_default) ?? { ...WITHOUT, org: instance };
  return (org) => own.get(org ?? '') ?? base;
}

const DomainPolicyRow = z.object({ org: z.string(), is_default: z.boolean(), must_be_domain: z.boolean() });

/** Whether an organisation demands its domain after the username: its own policy, else that of the instance. */
export async function readDomainPolicies(
  zitadel: ZitadelDatabase,
  instance: string,
  orgs: readonly string[],
): Promise<(org: string | null) => boolean> {
  const rows = await zitadel.query(
    sql`select resource_owner as org, is_default, must_be_domain from ${zitadel.catalogue.table('login_names', 'policies')}
        where instance_id = ${instance} and (is_default or resource_owner = any(${orgs}))`,
    DomainPolicyRow,
  );
  const own = new Map(rows.filter((row) => !row.is_default).map((row) => [row.org, row.must_be_domain]));
  const base = rows.find((row) => row.is_default)?.must_be_domain ?? false;
  return (org) => own.get(org ?? '') ?? base;
}

const OrgRow = z.object({
  id: z.string(),
  name: z.string(),
  primary_domain: z.string(),
  must_be_domain: z.boolean(),
});

export type Org = z.output<typeof OrgRow>;

/** By a verified domain in any case, or else by id or name too; several only by name. */
export async function findOrgs(
  zitadel: ZitadelDatabase,
  instance: string,
  wanted: string,
  by: 'any' | 'domain',
): Promise<readonly Org[]> {
  const text = wanted.trim();
  return zitadel.query(
    sql`select o.id, o.name, o.primary_domain, coalesce(p.must_be_domain, false) as must_be_domain
        from ${zitadel.catalogue.table('orgs')} o
        left join lateral (
          select p.must_be_domain from ${zitadel.catalogue.table('login_names', 'policies')} p
          where p.instance_id = o.instance_id and (p.is_default or p.resource_owner = o.id) order by p.is_default limit 1) p on true
        where o.instance_id = ${instance} and (${by === 'any'} and (o.id = ${text} or lower(o.name) = ${text.toLowerCase()}) or o.id in (
          select d.resource_owner from ${zitadel.catalogue.table('login_names', 'domains')} d
          where d.instance_id = ${instance} and d.name_lower = ${text.toLowerCase()}))
        order by o.id = ${text} desc, o.creation_date limit 20`,
    OrgRow,
  );
}

const Feature = z.object({ key: z.string(), value: z.unknown() });
const LoginV2 = z.object({ required: z.boolean().default(false) }).catch({ required: false });

export interface Features {
  /** Whether the instance leads everybody to Login v2. */
  readonly loginV2: boolean;
  /** Whether a sign-in without an organisation starts with the policies of the default one. */
  readonly loginDefaultOrg: boolean;
}

export async function readFeatures(zitadel: ZitadelDatabase, { id }: Instance): Promise<Features> {
  if (zitadel.catalogue.nameOf('instance_features') === null)
    return { loginV2: false, loginDefaultOrg: false };
  const rows = await zitadel.query(
    sql`select key, value from ${zitadel.catalogue.table('instance_features')} where instance_id = ${id}`,
    Feature,
  );
  const value = (key: string): unknown => rows.find((row) => row.key === key)?.value;
  return {
    loginV2: LoginV2.parse(value('login_v2')).required,
    loginDefaultOrg: value('login_default_org') === true,
  };
}
