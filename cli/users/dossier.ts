import * as z from 'zod';
import { sql, type Sql } from '../../shared/ports/database.ts';
import { uuidOf } from '../../shared/uuid.ts';
import { Failure } from '../failure.ts';
import { withMigration } from '../people/ground.ts';
import { printJson } from '../terminal.ts';
import { findUser } from './find.ts';
import { holdingsOf, isAt, readHeld } from './held.ts';
import { viewOf } from './person.ts';

export interface DossierCommand {
  readonly tenant?: string;
}

const Row = z.object({ row: z.record(z.string(), z.unknown()) });

/** Prints every row about one person, without hashes and secrets. Throws Failure where there is none. */
export async function runDossier(who: string, { tenant }: DossierCommand): Promise<void> {
  const dossier = await withMigration(async ({ database }, directory) => {
    const given = uuidOf(who);
    const id = given ?? (await findUser(database, who, tenant ?? null)).id;
    const { held, accounts } = await readHeld(database, id);
    const rows = async (from: Sql): Promise<unknown[]> =>
      (await database.query(from, Row)).map(({ row }) => shown(row));
    const [user = null] =
      await rows(sql`select to_jsonb(r) || jsonb_build_object('tenant', to_jsonb(t) - 'settings') as row
      from users r join tenants t on t.tenant_id = r.tenant_id where r.user_id = ${id}::uuid`);
    const tables = await Promise.all(
      holdingsOf(held).map(
        async ({ name, table, where }) =>
          [name, await rows(sql`select to_jsonb(r) as row from ${table} where ${where}`)] as const,
      ),
    );
    if (user === null && tables.every(([, found]) => found.length === 0))
      throw new Failure(`nothing is held of ${who}`);
    const account = accounts.find((each) => isAt(each, directory?.traits ?? null));
    const provider = account === undefined ? null : await viewOf(directory, account.subject);
    return { user_id: id, at: new Date().toISOString(), user, provider, ...Object.fromEntries(tables) };
  });
  printJson(dossier);
}

/** Names of columns and fields with credentials, or with mail that contains sign-in links. */
const SECRET = /_hash$|_token$|secret|^content$|^successor$|^password$/;

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (SECRET.test(key) ? [] : [[key, shown(inner)]])),
  );
}
