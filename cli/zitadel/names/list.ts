import { once } from 'node:events';
import * as z from 'zod';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import { Failure } from '../../failure.ts';
import { colors, note, print, printJson, write } from '../../terminal.ts';
import { rowsOf } from '../database/cursor.ts';
import { chosenInstance } from '../database/instances.ts';
import { withZitadelDatabase, type ZitadelDatabase } from '../database/open.ts';
import { loginInput } from './input.ts';
import { findPeople, type Person } from './people.ts';
import { plain, shellWord } from './print.ts';

export interface ListOptions {
  readonly database?: string;
  readonly instance?: string;
  readonly json?: boolean;
}

/** Prints the login names of one user, primary first, or of everybody. Throws Failure when there is no such user. */
export async function runList(user: string | undefined, options: ListOptions): Promise<void> {
  await withZitadelDatabase({ database: options.database }, async (zitadel) => {
    const { id } = chosenInstance(zitadel.instances, options.instance);
    if (user === undefined) await listAll(zitadel, id, options.json === true);
    else listOne(await onlyOne(zitadel, id, user), options.json === true);
  });
}

async function onlyOne(zitadel: ZitadelDatabase, instance: string, user: string): Promise<Person> {
  const [person, ...others] = await findPeople(zitadel, instance, loginInput(user));
  if (person === undefined) throw new Failure(`no user of the instance has the id, name or e-mail ${user}`);
  if (others.length === 0) return person;
  const ids = [person, ...others].map(({ id }) => id).join(', ');
  throw new Failure(`several users have it: name one by its id, ${ids}`);
}

function listOne({ id, loginNames: names, verified_email, verified_phone }: Person, json: boolean): void {
  if (json) {
    printJson({ names });
    return;
  }
  names.forEach((name, at) => {
    print(at === 0 ? `${plain(name)} ${colors.dim('(primary)')}` : plain(name));
  });
  if (names.length === 0) print(`${id} has no login name: its organisation has no verified domain`);
  for (const address of [verified_email, verified_phone])
    if (address !== null)
      print(
        colors.dim(
          `${plain(address)} (verified: at sign-in pages only, where no login name is the same and the policy permits)`,
        ),
      );
  note(`next: sallyport zitadel login-names explain ${shellWord(names[0] ?? id)}`);
}

const Row = z.object({ id: z.string(), org: z.string(), names: z.array(z.string()) });

/** A row at a time: an instance may have millions of users. */
async function listAll(zitadel: ZitadelDatabase, instance: string, json: boolean): Promise<void> {
  const rows = () => rowsOf(zitadel, allQuery(zitadel, instance), Row);
  if (!json) {
    for await (const { id, names } of rows())
      for (const name of names) await put(`${plain(name)}  ${colors.dim(plain(id))}\n`);
    note('next: sallyport zitadel login-names explain NAME');
    return;
  }
  let before = '{"names":[';
  for await (const { names } of rows())
    for (const name of names) {
      await put(before + JSON.stringify(name));
      before = ',\n';
    }
  before = `${before === ',\n' ? '' : before}],"users":[`;
  for await (const row of rows()) {
    await put(before + JSON.stringify(row));
    before = ',\n';
  }
  await put(`${before === ',\n' ? '' : before}]}\n`);
}

async function put(text: string): Promise<void> {
  if (!write(text)) await once(process.stdout, 'drain');
}

function allQuery({ catalogue }: ZitadelDatabase, instance: string): Sql {
  return sql`select u.id, u.resource_owner as org,
      case when p.must_be_domain then array(
        select u.user_name || '@' || d.name from ${catalogue.table('login_names', 'domains')} d
        where d.instance_id = u.instance_id and d.resource_owner = u.resource_owner order by d.is_primary desc, d.name)
      else array[u.user_name] end as names
    from ${catalogue.table('login_names', 'users')} u
    left join lateral (
      select p.must_be_domain from ${catalogue.table('login_names', 'policies')} p
      where p.instance_id = u.instance_id and (p.is_default or p.resource_owner = u.resource_owner)
      order by p.is_default limit 1) p on true
    where u.instance_id = ${instance} order by u.id`;
}
