import { sql, type Database } from '../../../shared/ports/database.ts';
import { makeUser, type MadeUser, type UserOptions } from '../people.ts';
import type { OAuthStage } from './suite.ts';

export function link(database: Database, user: MadeUser, subject: string, issuer: string): Promise<number> {
  return database.execute(
    sql`insert into sallyport_links (issuer, subject, user_id, via) values (${issuer}, ${subject}, ${user.userId}, 'provisioning')`,
  );
}

/** A user of the database whose account at Kanidm has the same id. */
export async function provisioned(
  { database, kanidm }: OAuthStage,
  options: UserOptions = {},
): Promise<MadeUser> {
  const user = await makeUser(database, { authMethod: 'dual', ...options });
  await link(database, user, user.userId, kanidm.url);
  return user;
}
