import { createWebhooks, type Webhooks } from '../../functions/webhooks/function.ts';
import { migrate } from '../../dev/migrate.ts';
import { seed } from '../../dev/seed.ts';
import type { Issuer } from '../../shared/identity/subjects.ts';
import type { Database } from '../../shared/ports/database.ts';
import { createDeps } from '../../shared/deps.ts';
import type { Bundle } from '../../functions/app.ts';
import { parseEnvironment } from '../../functions/configuration.ts';
import { openFgaBinary, postgresFolder, startOpenFgaServer, startPostgresServer } from '../servers/stores.ts';

/** Of the deliveries. */
export const SIGNING_KEY = 'signing-key-of-the-bench';

/** The product's own ports, over a store with the project's model: the bare sides use the same ones. */
export interface LifecycleGround {
  readonly deps: Bundle;
  readonly database: Database;
  readonly issuer: Issuer;
  readonly webhooks: Webhooks;
  close(): Promise<void>;
}

/** Real servers, of the bench alone. The words say what is missing. */
export async function openLifecycleGround(): Promise<LifecycleGround | string> {
  const folder = postgresFolder();
  const binary = openFgaBinary();
  if (folder === undefined) return 'left out: no Postgres is installed';
  if (binary === undefined) return 'left out: no OpenFGA; OPENFGA_BIN names one';
  const postgres = await startPostgresServer(folder);
  const databaseUrl = postgres.createDatabase('sallyport');
  await migrate(databaseUrl);
  const openfga = await startOpenFgaServer(binary, postgres.createDatabase('openfga'));
  const { storeId } = await seed({ url: openfga.url });
  const ports = openPorts({
    OPENFGA_URL: openfga.url,
    OPENFGA_STORE_ID: storeId,
    DATABASE_URL: databaseUrl,
  });
  return {
    ...ports,
    async close() {
      await ports.deps.close();
      await openfga.stop();
      await postgres.stop();
    },
  };
}

function openPorts(servers: Readonly<Record<string, string>>): Omit<LifecycleGround, 'close'> {
  const variables = {
    ...servers,
    UPSTREAM_URL: 'http://127.0.0.1:9',
    ACCESS_RULES: '[]',
    ZITADEL_ISSUER_URL: 'https://id.example.org',
    ZITADEL_AUDIENCE: 'api',
    WEBHOOK_SIGNING_KEYS: SIGNING_KEY,
    ENVIRONMENT: 'development',
    LOG_LEVEL: 'error',
  };
  const parsed = parseEnvironment(variables, 'node');
  if (!parsed.ok) throw new Error(parsed.faults.map((it) => `${it.variable} ${it.problem}`).join(', '));
  const deps = createDeps(parsed.config);
  const { database } = deps;
  const [issuer] = parsed.config.issuers;
  if (database === null || issuer === undefined) throw new Error('the bench needs a database and an issuer');
  return { deps, database, issuer, webhooks: createWebhooks({ ...deps, forget: () => undefined }) };
}
