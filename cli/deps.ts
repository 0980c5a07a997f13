/**
 * The command line's composition root: what only commands need, and only on Node, so that no bundle for Workers carries it.
 */
import { openPgDatabase } from '../shared/adapters/database-pg.ts';
import { connectionTo } from '../shared/adapters/pg-tls.ts';
import { openFgaModels, openFgaStores } from '../shared/adapters/models-openfga.ts';
import { openFgaClient } from '../shared/adapters/openfga-client.ts';
import { openFgaRelations } from '../shared/adapters/relations-openfga.ts';
import { openFgaTuples } from '../shared/adapters/tuples-openfga.ts';
import type { AuthorizationModels, AuthorizationStores } from '../shared/authorization-models.ts';
import type { OpenFgaConfig } from '../shared/config.ts';
import type { Database } from '../shared/database.ts';
import type { Relations } from '../shared/ports.ts';
import type { Tuples } from '../shared/tuples.ts';

export { parseModel } from '../shared/adapters/model-file.ts';
export { openPgSession as openSession } from '../shared/adapters/database-session.ts';

export function openStores(config: Pick<OpenFgaConfig, 'url' | 'apiToken'>): AuthorizationStores {
  return openFgaStores(config);
}

export function openModels(config: OpenFgaConfig): AuthorizationModels {
  return openFgaModels(openFgaClient(config));
}

export function openRelations(config: OpenFgaConfig): Relations {
  return openFgaRelations(openFgaClient(config));
}

export function openTuples(config: OpenFgaConfig): Tuples {
  return openFgaTuples(openFgaClient(config));
}

export function openDatabase(url: string): Database {
  return openPgDatabase({ url, max: 4, connectionTo });
}
