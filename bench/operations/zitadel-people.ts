import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { path } from '../programs.ts';

/** Of each user. */
export const EVENTS_OF_USER = 10;
const ORGS = 100;

/** A Zitadel with so many users, each with ten events in the order in which they would come: through all users again and again. */
export function fillZitadel(folder: string, url: string, users: number): void {
  const shape = readFileSync(path('dev/zitadel/database/shape.sql'), 'utf8');
  const psql = spawnSync(join(folder, 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', url], {
    input: `${shape};${BEFORE}${peopleOf(users)}${AFTER}`,
    encoding: 'utf8',
  });
  if (psql.status !== 0) throw new Error(`psql failed: ${psql.stderr}`);
}

/** Half of the organisations demand their domain. */
const BEFORE = `
drop index eventstore.es_projection; drop index eventstore.es_wm;
alter table eventstore.events2 drop constraint events2_pkey;
select made.instance('1', 'id.example.org', 'o1');
select made.org('1', 'o' || n, 'org' || n || '.example', n % 2 = 0) from generate_series(1, ${ORGS}) n;`;

const peopleOf = (users: number): string => `
create temporary view one as select n, 'u' || n as id, 'user' || n as name, 'user' || n || '@mail.example' as mail,
  'o' || (n % ${ORGS} + 1) as org from generate_series(1, ${users}) n;
insert into eventstore.events2
  select '1', 'user', id, case k when 0 then 'user.human.added' when 1 then 'user.human.email.verified'
      else 'user.human.password.check.succeeded' end, k + 1, 2, timestamptz '2025-06-01' + k * interval '1 day',
    case k when 0 then jsonb_build_object('userName', name, 'email', mail, 'firstName', 'A', 'lastName', 'B', 'displayName', 'A B',
        'preferredLanguage', 'en', 'encodedHash', repeat('x', 60))
      when 1 then null else jsonb_build_object('userAgentID', repeat('a', 18)) end,
    'made', org, 1740000000 + k * 86400 + n * 0.00001, 0
  from generate_series(0, ${EVENTS_OF_USER - 1}) k, one;
insert into projections.users14 select id, '2025-06-01', '2025-06-01', 2, 1, org, '1', name, 1 from one;
insert into projections.users14_humans (user_id, instance_id, first_name, last_name, email, is_email_verified)
  select id, '1', 'A', 'B', mail, true from one;
insert into projections.users14_notifications (user_id, instance_id, last_email, verified_email) select id, '1', mail, mail from one;
insert into projections.login_names3_users (id, user_name, resource_owner, instance_id) select id, name, org, '1' from one;`;

const AFTER = `
alter table eventstore.events2 add primary key (instance_id, aggregate_type, aggregate_id, sequence);
create index es_projection on eventstore.events2 (instance_id, aggregate_type, event_type, position);
create index es_wm on eventstore.events2 (instance_id, aggregate_id, aggregate_type, event_type, position);
select made.caught_up('1');
vacuum analyze;`;
