import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { LEGACY_PEOPLE, LEGACY_TENANTS } from './people.ts';

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
/** The last one that the legacy application has made itself. */
const LAST = '20250110000013';

/** Fills an empty database as the legacy application has left its own: its tables and people, nothing of Sallyport. */
export async function makeLegacyDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(await tables());
    await client.query(TENANTS, [JSON.stringify(LEGACY_TENANTS)]);
    await client.query(PEOPLE, [JSON.stringify(LEGACY_PEOPLE)]);
  } finally {
    await client.end();
  }
}

async function tables(): Promise<string> {
  const names = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql'));
  const files = names.sort().filter((name) => name.slice(0, LAST.length) <= LAST);
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, MIGRATIONS), 'utf8')));
  return texts.join('\n');
}

const TENANTS = `
  insert into tenants (tenant_id, slug, name, plan, created_at)
  select id, slug, name, 'professional', now() - interval '3 years'
  from json_to_recordset($1) as t (id uuid, slug text, name text)`;

const PEOPLE = `
  insert into users (user_id, tenant_id, email, password_hash, email_verified, full_name, role, status, last_login_at,
    created_at, deleted_at, kanidm_user_id, kanidm_synced_at)
  select id, "tenantId", email, hash, true, "fullName", role, status, now() - interval '1 day' * "daysAgo",
    now() - interval '2 years', case when deleted then now() - interval '30 days' end, account,
    case when account is not null then now() - interval '60 days' end
  from json_to_recordset($1) as p (id uuid, "tenantId" uuid, email text, hash text, "fullName" text, role text,
    status text, "daysAgo" integer, deleted boolean, account uuid)`;
