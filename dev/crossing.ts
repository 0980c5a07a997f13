import { Client } from 'pg';

/** A move that is well under way, as pages and pictures show it: eleven tenants, 4,800 people, four waves. */
export interface Crossing {
  /** Signs in by this address and PASSWORD, in the tenant `northwind`. */
  readonly viewer: { readonly userId: string; readonly email: string };
  /** Of the tenant `harbour` alone. */
  readonly admin: { readonly userId: string; readonly email: string };
  readonly password: string;
}

const PASSWORD = 'correct horse battery';
/** Of PASSWORD, at the lowest cost there is. */
const HASH = '$2b$04$dYx0eI0MFl5eRZt4E49EEOycZRVMak.pkttlMj0txJD9B6/XA1AYe';

/** Names, people, and how far each is, in per cent. */
const TENANTS: readonly (readonly [slug: string, name: string, people: number, across: number])[] = [
  ['northwind', 'Northwind', 320, 100],
  ['harbour', 'Harbour Supplies', 410, 97],
  ['juniper', 'Juniper & Daughters', 260, 88],
  ['millrace', 'Millrace', 540, 81],
  ['orchard', 'Orchard Health', 730, 74],
  ['quarry', 'Quarry Stone', 290, 70],
  ['lantern', 'Lantern Press', 180, 66],
  ['cobalt', 'Cobalt Works', 820, 52],
  ['saltmarsh', 'Saltmarsh Ferries', 350, 41],
  ['tiller', 'Tiller', 610, 23],
  ['viaduct', 'Viaduct Rail', 290, 0],
];

const GIVEN = [
  'Alice',
  'Bob',
  'Carol',
  'Dan',
  'Erin',
  'Frank',
  'Grace',
  'Heidi',
  'Ivan',
  'Judy',
  'Mallory',
  'Niaj',
  'Olivia',
  'Peggy',
  'Rupert',
  'Sybil',
  'Trent',
  'Victor',
  'Walter',
  'Wendy',
];

/** Numbers below 100 that are the same each time, of a person `n` and a purpose. */
const drawn = (purpose: string): string => `(abs(hashtext('${purpose}' || n)) % 100)`;

/** How many days ago a person came across: more in the middle of the week, and since a wave began. */
const ACROSS_AT = `now() - interval '1 hour' * (2 + (abs(hashtext('day' || n)) % 34) * 24 + abs(hashtext('hour' || n)) % 20)
  - case when extract(isodow from now() - interval '1 day' * (abs(hashtext('day' || n)) % 34)) > 5 and ${drawn('weekend')} < 75
    then interval '3 days' else interval '0' end`;

/** Fills a migrated database without people. */
export async function seedCrossing(url: string): Promise<Crossing> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`insert into tenants (slug, name) select * from unnest($1::text[], $2::text[])`, [
      TENANTS.map(([slug]) => slug),
      TENANTS.map(([, name]) => name),
    ]);
    await client.query(PEOPLE, [
      JSON.stringify(TENANTS.map(([slug, , people, across]) => ({ slug, people, across }))),
      GIVEN,
      HASH,
    ]);
    for (const statement of WORLD) await client.query(statement);
    return {
      viewer: await someone(client, 'viewer@northwind.example.org', 'northwind', 'user'),
      admin: await someone(client, 'admin@harbour.example.org', 'harbour', 'admin'),
      password: PASSWORD,
    };
  } finally {
    await client.end();
  }
}

async function someone(
  client: Client,
  email: string,
  slug: string,
  role: string,
): Promise<Crossing['viewer']> {
  const { rows } = await client.query<{ user_id: string }>(
    `update users set email = $1, role = $3, status = 'active', auth_method = 'dual' where user_id = (
       select u.user_id from users u join tenants t on t.tenant_id = u.tenant_id
       where t.slug = $2 and u.migration_completed_at is not null order by u.email limit 1
     ) returning user_id`,
    [email, slug, role],
  );
  return { userId: rows[0]?.user_id ?? '', email };
}

/** Who is further than their tenant's share has completed; behind them some are invited, provisioned, or neither. */
const PEOPLE = `
  insert into users (user_id, tenant_id, email, password_hash, full_name, role, status, created_at, last_login_at, auth_method,
    kanidm_user_id, migration_invited_at, migration_completed_at)
  select id, tenant_id, lower(given) || n || '@' || slug || '.example.org', $3, given || ' ' || chr((65 + n % 26)::int) || '.', 'user',
    case when ${drawn('status')} < 1 and place > across then 'suspended' else 'active' end,
    now() - interval '1 day' * (200 + n % 900),
    case when ${drawn('never')} < 4 then null when ${drawn('dormant')} < 6 then now() - interval '1 day' * (181 + n % 200)
      else now() - interval '1 hour' * (n % 500) end,
    case when place > across + 20 then 'password' when ${drawn('alone')} < 30 and place <= across then 'kanidm' else 'dual' end,
    case when place <= across + 20 then id end,
    case when place <= across + 12 and across > 0 then now() - interval '1 day' * (36 + n % 5) end,
    case when place <= across then ${ACROSS_AT} end
  from (
    select t.tenant_id, s.slug, s.across, ($2::text[])[(1 + n % 20)::int] as given, n,
      100.0 * i / s.people as place, md5('person' || n)::uuid as id
    from (
      select s.*, i, (row_number() over (order by s.slug, i))::int as n
      from json_to_recordset($1) s (slug text, people int, across numeric) cross join lateral generate_series(1, s.people) i
    ) s join tenants t on t.slug = s.slug
  ) p`;

const WORLD: readonly string[] = [
  `insert into sallyport_alarms (name, raised, since, value, detail, checked_at)
   values ('mail-bounces', true, now() - interval '5 hours', 4.2, '9 of 214 mails of the last 7 days bounced', now())`,
  `insert into sallyport_tenants (tenant_id, deadline, confirmed_at, confirmed_by)
   select tenant_id, case when slug in ('northwind', 'juniper') then date_trunc('day', now()) + interval '21 days' - interval '1 second' end,
     case when slug = 'northwind' then now() - interval '2 days' end, case when slug = 'northwind' then 'operator' end
   from tenants where slug in ('northwind', 'juniper')`,
  `insert into sallyport_people (user_id, excluded_at, excluded_reason, flags)
   select user_id, case when kind = 0 then now() end, case when kind = 0 then 'a robot of the warehouse' end,
     case when kind = 1 then '{"unreachable": true}'::jsonb else '{}' end
   from (
     select user_id, row_number() over (order by md5(user_id::text)) % 2 as kind from users
     where migration_completed_at is null and status = 'active' and kanidm_user_id is not null order by md5(user_id::text) limit 28
   ) p`,
  `insert into sallyport_waves (name, state, cohort, start_at, started_at, judged_since, deadline, remind, stop_when, pause_reason, ended_at)
   select name, state, '{"tenants": null, "percent": null, "role": null, "activeWithinMs": null, "limit": null}', now() + at,
     case when state <> 'planned' then now() + at end, case when state <> 'planned' then now() + at end,
     case when state = 'running' then date_trunc('day', now()) + interval '21 days' - interval '1 second' end, '["7d", "-3d"]', '[]', reason,
     case when state = 'done' then now() - interval '20 days' end
   from (values ('own-people', 'done', interval '-40 days', null), ('friends', 'running', interval '-34 days', null),
     ('ten-percent', 'paused', interval '-12 days', 'bounces>2%: 9 of 214 mails bounced (4.2 %)'),
     ('everybody', 'planned', interval '9 days', null)) w (name, state, at, reason)`,
  `insert into sallyport_invitations (wave_id, user_id, tenant_id, created_at, queued_at, mailed_at, delivered_at, seen_at, accepted_at, completed_at, ended_at, end_reason)
   select w.wave_id, u.user_id, u.tenant_id, u.migration_invited_at, u.migration_invited_at, u.migration_invited_at,
     case when draw < 97 or u.migration_completed_at is not null then u.migration_invited_at + interval '1 minute' end,
     case when draw < 92 or u.migration_completed_at is not null then u.migration_invited_at + interval '9 hours' * (1 + draw % 5) end,
     case when draw < 88 or u.migration_completed_at is not null then u.migration_invited_at + interval '10 hours' * (1 + draw % 5) end,
     u.migration_completed_at, u.migration_completed_at, case when u.migration_completed_at is not null then 'completed' end
   from (select u.*, t.slug, abs(hashtext('funnel' || u.user_id::text)) % 100 as draw from users u join tenants t using (tenant_id)
     where u.migration_invited_at is not null) u
   join sallyport_waves w on w.name = case when u.slug in ('northwind', 'harbour') then 'own-people'
     when u.slug in ('juniper', 'millrace', 'orchard', 'quarry', 'lantern') then 'friends' else 'ten-percent' end`,
  `insert into sessions (session_id, user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at, refresh_token_expires_at, auth_method, created_at)
   select gen_random_uuid(), u.user_id, u.tenant_id, '', md5(u.user_id::text || d), now(), now(),
     case when u.migration_completed_at is not null and u.migration_completed_at < now() - interval '1 day' * d then 'kanidm' else 'jwt' end,
     now() - interval '1 day' * d - interval '1 minute' * (abs(hashtext(u.user_id::text || 'minute')) % 300)
   from users u cross join generate_series(0, 31) d
   where u.status = 'active'
     and abs(hashtext(u.user_id::text || d)) % 100 < case when extract(isodow from now() - interval '1 day' * d) > 5 then 2 else 11 end`,
  `insert into sallyport_audit (who, what, subject, source, at, detail)
   select 'provider', 'sign_in_refused', user_id, 'test', now() - interval '1 day' * (abs(hashtext(user_id::text)) % 30), '{"by": "kanidm"}'
   from users where abs(hashtext('refused' || user_id::text)) % 900 = 0`,
  `insert into sallyport_tickets (id, tenant_id, at)
   select 'T-' || n, tenant_id, now() - interval '1 day' * n from (select tenant_id, row_number() over (order by slug) as n from tenants) t where n <= 7`,
];
