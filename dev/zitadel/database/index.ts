import { readFile } from 'node:fs/promises';
import { Client } from 'pg';

/** An administrator whose username was changed, and whose e-mail by hand, in the projection alone: the old name goes on working. */
const PEOPLE = `
  select made.instance('i1', 'id.example.org', 'acme');
  select made.org('i1', 'acme', 'acme.id.example.org');
  select made.human('i1', 'acme', 'olga', 'admin@acme.id.example.org', 'admin@acme.id.example.org');
  select made.renamed('i1', 'olga', 'dev@example.org');
  update projections.users14_humans set email = 'dev@example.org' where user_id = 'olga';
  select made.caught_up('i1')`;

/** Makes what `login-names` reads, in schemas of its own beside whatever is in the database. */
export async function makeZitadelDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(await readFile(new URL('shape.sql', import.meta.url), 'utf8'));
    await client.query(PEOPLE);
  } finally {
    await client.end();
  }
}
