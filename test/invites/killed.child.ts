import * as z from 'zod';
import { driveWaves } from '../../functions/invites/waves.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { sessionKeys } from '../../shared/sessions/keys.ts';
import { instance, mailConfig } from '../mail/stage.ts';

const Environment = z.object({
  DATABASE_URL: z.string(),
  SMTP_PORT: z.coerce.number(),
  SESSION_KEYS: z.string(),
  PUBLIC_URL: z.string(),
});

/** A round of the job wave-reminders and the job mail-send, without the rest of the bundle. */
async function main(): Promise<void> {
  const { DATABASE_URL: url, SMTP_PORT: port, ...own } = Environment.parse(process.env);
  const database = openPgDatabase({ url, pooled: true });
  const keys = sessionKeys(own.SESSION_KEYS);
  const keyRing = { current: () => Promise.resolve(keys) };
  const { outbox, send } = instance(database, port, { seal: sealBy(keyRing) });
  const ignore = (): void => undefined;
  const round = new AbortController();
  await driveWaves(round.signal, {
    ...{ database, keyRing, mail: mailConfig(port), publicUrl: own.PUBLIC_URL, provider: 'kanidm' },
    outbox: { ...outbox, nudge: ignore },
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    pause: () => {
      round.abort();
      return Promise.resolve();
    },
  });
  await send();
  await database.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
