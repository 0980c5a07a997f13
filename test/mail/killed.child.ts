import * as z from 'zod';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { senderOn } from './stage.ts';

/** The job mail-send without the rest of the bundle, which would only make it start more slowly. */
async function main(): Promise<void> {
  const { DATABASE_URL: url, SMTP_PORT: port } = z
    .object({ DATABASE_URL: z.string(), SMTP_PORT: z.coerce.number() })
    .parse(process.env);
  const database = openPgDatabase({ url, pooled: true });
  const { sender } = senderOn(database, port);
  await sender.all(new AbortController().signal);
  await database.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
