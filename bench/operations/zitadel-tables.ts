/**
 * SQL for a database in the shape of Zitadel's: the tables that hold most rows, with the indexes that the real ones have. Ten events
 * of each user.
 */
export function zitadelTables(people: number): string {
  return `
create schema eventstore; create schema projections; create schema system;
create table eventstore.events2 (instance_id text not null, aggregate_type text not null, aggregate_id text not null,
  event_type text not null, "sequence" bigint not null, revision smallint not null, created_at timestamptz not null, payload jsonb,
  creator text not null, "owner" text not null, "position" numeric not null, in_tx_order integer not null,
  primary key (instance_id, aggregate_type, aggregate_id, "sequence"));
create index es_active_instances on eventstore.events2 (created_at desc, instance_id);
create index es_wm on eventstore.events2 (aggregate_id, instance_id, aggregate_type, event_type);
create index es_projection on eventstore.events2 (instance_id, aggregate_type, event_type, "position");
create table eventstore.unique_constraints (instance_id text, unique_type text, unique_field text,
  primary key (instance_id, unique_type, unique_field));
create table system.encryption_keys (id text primary key, key text not null);
create table projections.instances (id text primary key, name text);
create table projections.instance_domains (instance_id text, domain text, is_primary boolean, primary key (instance_id, domain));
create table projections.current_states (projection_name text, instance_id text, "position" numeric, primary key (projection_name, instance_id));
create table projections.users14 (id text, creation_date timestamptz, change_date timestamptz, "sequence" bigint, state smallint,
  resource_owner text, instance_id text, username text, type smallint, primary key (instance_id, id));
create index users14_username on projections.users14 (username); create index users14_owner on projections.users14 (resource_owner);
create table projections.users14_humans (user_id text, instance_id text, first_name text, last_name text, display_name text, email text,
  is_email_verified boolean, primary key (instance_id, user_id));
create index users14_humans_email on projections.users14_humans (email);
create table projections.users14_notifications (user_id text, instance_id text, last_email text, verified_email text, password_set boolean,
  primary key (instance_id, user_id));
create table projections.login_names3_users (id text, user_name text, resource_owner text, instance_id text,
  user_name_lower text generated always as (lower(user_name)) stored, primary key (instance_id, id));
create index login_names3_search on projections.login_names3_users (instance_id, user_name_lower);
insert into projections.instances values ('1', 'Bench');
insert into projections.instance_domains values ('1', 'localhost', true);
insert into eventstore.events2 values ('', 'system', 'SYSTEM', 'system.migration.done', 1, 1, now(), '{"name": "14_events_push"}', 'system', 'SYSTEM', 1, 0);
insert into eventstore.events2 select '1', 'user', u::text, (array['user.human.added', 'user.human.email.verified', 'user.token.added', 'user.human.password.check.succeeded'])[1 + e % 4],
  e, 2, now() - make_interval(secs => u), jsonb_build_object('userName', 'person' || u, 'email', 'person' || u || '@example.org', 'hash', md5(u::text) || md5(e::text)), u::text, '2', u * 10 + e, 0
  from generate_series(1, ${people}) u, generate_series(1, 10) e;
insert into eventstore.unique_constraints select '1', 'usernames', 'person' || u from generate_series(1, ${people}) u;
insert into projections.users14 select u::text, now(), now(), 10, 1, '2', '1', 'person' || u, 1 from generate_series(1, ${people}) u;
insert into projections.users14_humans select u::text, '1', 'Person', u::text, 'Person ' || u, 'person' || u || '@example.org', true from generate_series(1, ${people}) u;
insert into projections.users14_notifications select u::text, '1', 'person' || u || '@example.org', 'person' || u || '@example.org', true from generate_series(1, ${people}) u;
insert into projections.login_names3_users select u::text, 'person' || u, '2', '1' from generate_series(1, ${people}) u;
`;
}
