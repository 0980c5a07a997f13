import * as z from 'zod';
import { join, sql, type Sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { looksLikePhone, type LoginInput } from './input.ts';

/** domain.UserState of Zitadel, as its projections store it; its API counts otherwise. */
export const STATES = [
  'unspecified',
  'active',
  'inactive',
  'deleted',
  'locked',
  'suspended',
  'initial',
] as const;

const Row = z.object({
  id: z.string(),
  org: z.string(),
  org_name: z.string().nullable(),
  org_active: z.boolean(),
  human: z.boolean(),
  state: z.number().transform((state) => STATES[state] ?? 'unspecified'),
  /** Of the projection of users; that of login names is what signs in. */
  username: z.string(),
  user_name: z.string().nullable(),
  email: z.string().nullable(),
  email_verified: z.boolean().nullable(),
  phone: z.string().nullable(),
  last_email: z.string().nullable(),
  verified_email: z.string().nullable(),
  verified_phone: z.string().nullable(),
  must_be_domain: z.boolean(),
  /** Verified domains of the organisation, the primary one first. */
  domains: z.array(z.string()),
});

/** A user of Zitadel with all that decides by what name it signs in. */
export interface Person extends z.output<typeof Row> {
  /** Primary first. Where the policy demands the domain, one for each verified domain, else the username alone. */
  readonly loginNames: readonly string[];
}

/** Users that an input may lead to, or nearly does. More than these are left out. */
const CANDIDATES = 50;
/** Domains that the input is tried with. */
const DOMAINS = 1_000;

const Id = z.object({ id: z.string() });

/** Ids of users whose login name, e-mail or phone is the input, or part of it. Those that it fits come first. */
export async function candidatesFor(
  zitadel: ZitadelDatabase,
  instance: string,
  input: LoginInput,
): Promise<readonly string[]> {
  const { catalogue } = zitadel;
  const names = catalogue.table('login_names', 'users');
  const domains = catalogue.table('login_names', 'domains');
  const humans = catalogue.table('users', 'humans');
  const notifications = catalogue.table('users', 'notifications');
  const arms = [
    sql`select id from ${names} where instance_id = ${instance} and user_name_lower = ${input.whole}`,
    sql`select u.id from ${domains} d join ${names} u on u.instance_id = d.instance_id and u.resource_owner = d.resource_owner
          and u.user_name_lower = ${input.name} where d.instance_id = ${instance} and d.name_lower = ${input.domain ?? ''}`,
    sql`select user_id as id from ${notifications} where instance_id = ${instance} and ${verifiedLower(zitadel)} = ${input.whole}`,
    sql`select user_id as id from ${humans} where instance_id = ${instance} and lower(email) = ${input.whole}`,
    ...(looksLikePhone(input)
      ? [
          sql`select user_id as id from ${notifications} where instance_id = ${instance} and verified_phone = ${input.text}`,
          sql`select user_id as id from ${humans} where instance_id = ${instance} and phone = ${input.text}`,
        ]
      : []),
    sql`select id from ${names} where instance_id = ${instance} and user_name_lower = ${input.name}`,
    sql`select id from ${names} where instance_id = ${instance} and user_name_lower = any(array(
          select ${input.whole}::text || '@' || d.name_lower from ${domains} d where d.instance_id = ${instance} limit ${DOMAINS}::int))`,
  ];
  const bounded = arms.map((arm) => sql`(${arm} limit ${CANDIDATES}::int)`);
  const rows = await zitadel.query(join(bounded, sql` union all `), Id);
  return [...new Set(rows.map(({ id }) => id))].slice(0, CANDIDATES);
}

/** The generated column has an index; releases before it have none. */
function verifiedLower({ catalogue }: ZitadelDatabase): Sql {
  const columns = catalogue.columnsOf(catalogue.nameOf('users', 'notifications') ?? '');
  return columns.some(({ name }) => name === 'verified_email_lower')
    ? sql`verified_email_lower`
    : sql`lower(verified_email)`;
}

/** Users of these ids, in the order of the ids; one that a projection lacks is left out. */
export async function readPeople(
  zitadel: ZitadelDatabase,
  instance: string,
  ids: readonly string[],
): Promise<readonly Person[]> {
  if (ids.length === 0) return [];
  const rows = await zitadel.query(
    sql`${peopleQuery(zitadel)} where u.instance_id = ${instance} and u.id = any(${ids})`,
    Row,
  );
  const found = new Map(rows.map((row) => [row.id, personOf(row)]));
  return ids.flatMap((id) => found.get(id) ?? []);
}

function personOf(row: z.output<typeof Row>): Person {
  return { ...row, loginNames: loginNames(row) };
}

function loginNames({ user_name, must_be_domain, domains }: z.output<typeof Row>): string[] {
  if (user_name === null) return [];
  return must_be_domain ? domains.map((domain) => `${user_name}@${domain}`) : [user_name];
}

function peopleQuery({ catalogue }: ZitadelDatabase): Sql {
  return sql`select u.id, u.resource_owner as org, o.name as org_name, coalesce(o.org_state = 1, false) as org_active,
      u.type = 1 as human, u.state, u.username, l.user_name, h.email, h.is_email_verified as email_verified, h.phone,
      n.last_email, n.verified_email, n.verified_phone, coalesce(p.must_be_domain, false) as must_be_domain,
      array(select d.name from ${catalogue.table('login_names', 'domains')} d
            where d.instance_id = u.instance_id and d.resource_owner = u.resource_owner order by d.is_primary desc, d.name) as domains
    from ${catalogue.table('users')} u
    left join ${catalogue.table('login_names', 'users')} l on l.instance_id = u.instance_id and l.id = u.id
    left join ${catalogue.table('users', 'humans')} h on h.instance_id = u.instance_id and h.user_id = u.id
    left join ${catalogue.table('users', 'notifications')} n on n.instance_id = u.instance_id and n.user_id = u.id
    left join ${catalogue.table('orgs')} o on o.instance_id = u.instance_id and o.id = u.resource_owner
    left join lateral (
      select p.must_be_domain from ${catalogue.table('login_names', 'policies')} p
      where p.instance_id = u.instance_id and (p.is_default or p.resource_owner = u.resource_owner)
      order by p.is_default limit 1) p on true`;
}

/** One user by id, else by login name, username, or e-mail. */
export async function findPeople(
  zitadel: ZitadelDatabase,
  instance: string,
  input: LoginInput,
): Promise<readonly Person[]> {
  const [byId] = await readPeople(zitadel, instance, [input.text]);
  if (byId !== undefined) return [byId];
  const people = await readPeople(zitadel, instance, await candidatesFor(zitadel, instance, input));
  const exact = people.filter((person) =>
    person.loginNames.some((name) => name.toLowerCase() === input.whole),
  );
  if (exact.length > 0) return exact;
  return people.filter(
    (person) =>
      person.user_name?.toLowerCase() === input.whole ||
      [person.email, person.verified_email].some((mail) => mail?.toLowerCase() === input.whole),
  );
}
