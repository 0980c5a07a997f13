-- A small database in the shape of Zitadel's own (v4): what commands read of it, and functions of the schema `made` that do to it
-- what Zitadel does: an event, and what its projections make of it. A stand-in, for tests and the demo.
create schema eventstore;
create schema projections;
create schema system;
create schema made;

create table eventstore.events2 (
  instance_id text not null, aggregate_type text not null, aggregate_id text not null, event_type text not null,
  sequence bigint not null, revision smallint not null default 1, created_at timestamptz not null, payload jsonb,
  creator text not null, owner text not null, position numeric not null, in_tx_order integer not null,
  primary key (instance_id, aggregate_type, aggregate_id, sequence));
create index es_projection on eventstore.events2 (instance_id, aggregate_type, event_type, position);
create index es_wm on eventstore.events2 (instance_id, aggregate_id, aggregate_type, event_type, position);
create table eventstore.unique_constraints (
  instance_id text not null, unique_type text not null, unique_field text not null,
  primary key (instance_id, unique_type, unique_field));
create table system.encryption_keys (id text primary key, key text not null);

create table projections.current_states (
  projection_name text not null, instance_id text not null, last_updated timestamptz, aggregate_id text, aggregate_type text,
  sequence bigint, event_date timestamptz, position numeric, filter_offset integer, primary key (projection_name, instance_id));
create table projections.instances (
  id text primary key, name text not null default '', change_date timestamptz not null, creation_date timestamptz not null,
  default_org_id text not null default '', sequence bigint not null default 1);
create table projections.instance_domains (
  instance_id text not null, creation_date timestamptz not null, change_date timestamptz not null, sequence bigint not null,
  domain text not null, is_generated boolean not null, is_primary boolean not null, primary key (instance_id, domain));
create table projections.instance_features5 (
  instance_id text not null, key text not null, creation_date timestamptz not null, change_date timestamptz not null,
  sequence bigint not null, value jsonb not null, primary key (instance_id, key));
create table projections.instance_members4 (
  creation_date timestamptz not null, change_date timestamptz not null, user_id text not null, user_resource_owner text not null,
  roles text[], sequence bigint not null, resource_owner text not null, instance_id text not null, id text not null,
  primary key (instance_id, id, user_id));
create table projections.orgs1 (
  id text not null, creation_date timestamptz not null, change_date timestamptz not null, resource_owner text not null,
  instance_id text not null, org_state smallint not null, sequence bigint not null, name text not null,
  primary_domain text not null default '', primary key (instance_id, id));
create table projections.projects4 (
  id text not null, instance_id text not null, resource_owner text not null, name text not null, primary key (instance_id, id));
create table projections.apps7 (
  id text not null, name text not null, project_id text not null, resource_owner text not null, instance_id text not null,
  primary key (instance_id, id));
create table projections.personal_access_tokens3 (
  id text not null, creation_date timestamptz not null, resource_owner text not null, instance_id text not null,
  user_id text not null, expiration timestamptz not null, primary key (instance_id, id));
create table projections.users14 (
  id text not null, creation_date timestamptz not null, change_date timestamptz not null, sequence bigint not null,
  state smallint not null, resource_owner text not null, instance_id text not null, username text not null,
  type smallint not null, primary key (instance_id, id));
create table projections.users14_humans (
  user_id text not null, instance_id text not null, first_name text not null, last_name text not null, email text not null,
  is_email_verified boolean not null default false, phone text, is_phone_verified boolean, primary key (instance_id, user_id),
  foreign key (instance_id, user_id) references projections.users14 (instance_id, id) on delete cascade);
create index users14_humans_email_idx on projections.users14_humans (instance_id, lower(email));
create table projections.users14_machines (
  user_id text not null, instance_id text not null, name text not null, primary key (instance_id, user_id),
  foreign key (instance_id, user_id) references projections.users14 (instance_id, id) on delete cascade);
create table projections.users14_notifications (
  user_id text not null, instance_id text not null, last_email text, verified_email text, last_phone text, verified_phone text,
  verified_email_lower text generated always as (lower(verified_email)) stored, primary key (instance_id, user_id),
  foreign key (instance_id, user_id) references projections.users14 (instance_id, id) on delete cascade);
create index users14_notifications_email_search on projections.users14_notifications (instance_id, verified_email_lower);
create table projections.login_names3_users (
  id text not null, user_name text not null, user_name_lower text not null generated always as (lower(user_name)) stored,
  resource_owner text not null, instance_id text not null, primary key (instance_id, id));
create index login_names3_users_search on projections.login_names3_users (instance_id, user_name_lower);
create table projections.login_names3_domains (
  name text not null, name_lower text not null generated always as (lower(name)) stored, is_primary boolean not null default false,
  resource_owner text not null, instance_id text not null, primary key (instance_id, resource_owner, name));
create table projections.login_names3_policies (
  must_be_domain boolean not null, is_default boolean not null, resource_owner text not null, instance_id text not null,
  primary key (instance_id, resource_owner));
create table projections.login_policies5 (
  aggregate_id text not null, instance_id text not null, is_default boolean not null default false,
  allow_register boolean not null default true, allow_username_password boolean not null default true,
  ignore_unknown_usernames boolean not null default false, allow_domain_discovery boolean not null default true,
  disable_login_with_email boolean not null default false, disable_login_with_phone boolean not null default false,
  primary key (instance_id, aggregate_id));
create table projections.web_keys1 (
  instance_id text not null, key_id text not null, state bigint not null, private_key jsonb not null,
  primary key (instance_id, key_id));

create sequence made.position;

-- A second apart, so that their order shows.
create function made.event(instance text, aggregate text, id text, type text, org text, payload jsonb default null)
returns void language sql as $$
  insert into eventstore.events2 (instance_id, aggregate_type, aggregate_id, event_type, sequence, created_at, payload, creator,
    owner, position, in_tx_order)
  select instance, aggregate, id, type,
    1 + coalesce((select max(e.sequence) from eventstore.events2 e
      where e.instance_id = instance and e.aggregate_type = aggregate and e.aggregate_id = id), 0),
    timestamptz '2025-01-01 00:00:00+00' + made_at.position * interval '1 second', payload, 'made', org,
    1735689600 + made_at.position, 0
  from (select nextval('made.position') as position) made_at
$$;

create function made.caught_up(instance text) returns void language sql as $$
  insert into projections.current_states (projection_name, instance_id, position)
  select 'projections.' || name, instance, (select max(e.position) from eventstore.events2 e where e.instance_id = instance)
  from unnest(array['users14', 'login_names3', 'orgs1', 'instances', 'instance_domains', 'instance_features5',
    'instance_members4', 'projects4', 'apps7', 'personal_access_tokens3', 'login_policies5', 'web_keys1']) as name
  on conflict (projection_name, instance_id) do update set position = excluded.position
$$;

create function made.instance(instance text, domain text, default_org text) returns void language plpgsql as $$
begin
  perform made.event(instance, 'instance', instance, 'instance.added', instance, jsonb_build_object('name', domain));
  perform made.event(instance, 'instance', instance, 'instance.domain.added', instance, jsonb_build_object('domain', domain));
  perform made.event(instance, 'web_key', instance || '-key', 'web_key.added', instance);
  perform made.event(instance, 'web_key', instance || '-key', 'web_key.activated', instance);
  insert into projections.instances (id, name, change_date, creation_date, default_org_id)
    values (instance, domain, '2025-01-01 00:00:00+00', '2025-01-01 00:00:00+00', default_org);
  insert into projections.instance_domains values (instance, '2025-01-01 00:00:00+00', '2025-01-01 00:00:00+00', 1, domain, false, true);
  insert into projections.login_names3_policies values (false, true, instance, instance);
  insert into projections.login_policies5 (aggregate_id, instance_id, is_default) values (instance, instance, true);
  insert into projections.web_keys1 values (instance, instance || '-key', 2, '{}');
end $$;

-- Its policy demands the domain after the username where `must` is given.
create function made.org(instance text, org text, domain text, must boolean default null) returns void language plpgsql as $$
begin
  perform made.event(instance, 'org', org, 'org.added', org, jsonb_build_object('name', org));
  insert into projections.orgs1 values (org, '2025-01-01 00:00:00+00', '2025-01-01 00:00:00+00', org, instance, 1, 1, org, domain);
  perform made.domain(instance, org, domain);
  update projections.login_names3_domains set is_primary = true where instance_id = instance and resource_owner = org;
  if must is not null then
    perform made.event(instance, 'org', org, 'org.policy.domain.added', org, jsonb_build_object('userLoginMustBeDomain', must));
    insert into projections.login_names3_policies values (must, false, org, instance);
  end if;
end $$;

create function made.domain(instance text, org text, domain text) returns void language plpgsql as $$
begin
  perform made.event(instance, 'org', org, 'org.domain.verified', org, jsonb_build_object('domain', domain));
  insert into projections.login_names3_domains (name, resource_owner, instance_id) values (domain, org, instance);
end $$;

create function made.domain_removed(instance text, org text, domain text) returns void language plpgsql as $$
begin
  perform made.event(instance, 'org', org, 'org.domain.removed', org, jsonb_build_object('domain', domain));
  delete from projections.login_names3_domains d where d.instance_id = instance and d.resource_owner = org and d.name = domain;
end $$;

create function made.human(instance text, org text, id text, username text, mail text, verified boolean default true)
returns void language plpgsql as $$
begin
  perform made.event(instance, 'user', id, 'user.human.added', org, jsonb_build_object('userName', username, 'email', mail));
  if verified then perform made.event(instance, 'user', id, 'user.human.email.verified', org); end if;
  insert into projections.users14 values (id, '2025-01-01 00:00:00+00', '2025-01-01 00:00:00+00', 1, 1, org, instance, username, 1);
  insert into projections.users14_humans (user_id, instance_id, first_name, last_name, email, is_email_verified)
    values (id, instance, 'A', 'B', mail, verified);
  insert into projections.users14_notifications (user_id, instance_id, last_email, verified_email)
    values (id, instance, mail, case when verified then mail end);
  insert into projections.login_names3_users (id, user_name, resource_owner, instance_id) values (id, username, org, instance);
end $$;

create function made.machine(instance text, org text, id text, username text) returns void language plpgsql as $$
begin
  perform made.event(instance, 'user', id, 'user.machine.added', org, jsonb_build_object('userName', username, 'name', username));
  insert into projections.users14 values (id, '2025-01-01 00:00:00+00', '2025-01-01 00:00:00+00', 1, 1, org, instance, username, 2);
  insert into projections.users14_machines values (id, instance, username);
  insert into projections.login_names3_users (id, user_name, resource_owner, instance_id) values (id, username, org, instance);
end $$;

-- `claimed`: because an organisation has verified the domain of the name before.
create function made.renamed(instance text, user_id text, username text, claimed boolean default false) returns void language plpgsql as $$
declare org text;
begin
  select u.resource_owner into org from projections.users14 u where u.instance_id = instance and u.id = user_id;
  perform made.event(instance, 'user', user_id, case when claimed then 'user.domain.claimed' else 'user.username.changed' end, org,
    jsonb_build_object('userName', renamed.username));
  update projections.users14 u set username = renamed.username where u.instance_id = instance and u.id = renamed.user_id;
  update projections.login_names3_users l set user_name = renamed.username where l.instance_id = instance and l.id = renamed.user_id;
end $$;

create function made.mailed(instance text, who text, mail text, verified boolean) returns void language plpgsql as $$
declare org text;
begin
  select u.resource_owner into org from projections.users14 u where u.instance_id = instance and u.id = who;
  perform made.event(instance, 'user', who, 'user.human.email.changed', org, jsonb_build_object('email', mail));
  if verified then perform made.event(instance, 'user', who, 'user.human.email.verified', org); end if;
  update projections.users14_humans h set email = mail, is_email_verified = verified where h.instance_id = instance and h.user_id = who;
  update projections.users14_notifications n
    set last_email = mail, verified_email = case when verified then mail else n.verified_email end
    where n.instance_id = instance and n.user_id = who;
end $$;

-- 2 inactive, 4 locked.
create function made.state(instance text, who text, wanted smallint) returns void language plpgsql as $$
declare org text;
begin
  select u.resource_owner into org from projections.users14 u where u.instance_id = instance and u.id = who;
  perform made.event(instance, 'user', who, case wanted when 4 then 'user.locked' else 'user.deactivated' end, org);
  update projections.users14 u set state = wanted where u.instance_id = instance and u.id = who;
end $$;
