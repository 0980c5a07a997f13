/**
 * The command line's composition root: adapters for commands only, on Node only, so that no Worker's bundle carries them.
 */
import { kanidmFinalise } from '../shared/adapters/kanidm/directory.ts';
import { linuxProcesses } from '../shared/adapters/node/processes.ts';
import { openPgDatabase } from '../shared/adapters/postgres/pg.ts';
import { connectionTo } from '../shared/adapters/postgres/tls.ts';
import { openFgaModels, openFgaStores } from '../shared/adapters/openfga/models.ts';
import { openFgaClient } from '../shared/adapters/openfga/client.ts';
import { openFgaRelations } from '../shared/adapters/openfga/relations.ts';
import { openFgaTuples } from '../shared/adapters/openfga/tuples.ts';
import { openRedisCommands } from '../shared/adapters/redis/commands.ts';
import { undiciExchange } from '../shared/adapters/undici/exchange.ts';
import { openZitadelApi } from '../shared/adapters/zitadel/api.ts';
import type { AuthorizationModels, AuthorizationStores } from '../shared/ports/authorization-models.ts';
import type { OpenFgaConfig } from '../shared/configuration/stores.ts';
import type { StoreCommands } from '../shared/ports/counters.ts';
import type { Database } from '../shared/ports/database.ts';
import type { FinaliseSync } from '../shared/ports/directory.ts';
import type { Clock, ProcessGroups, Processes } from '../shared/ports/runtime.ts';
import type { Relations } from '../shared/ports/relations.ts';
import type { Tuples } from '../shared/ports/tuples.ts';
import type { ZitadelApi } from '../shared/ports/zitadel-api.ts';

export { undiciExchange as exchange } from '../shared/adapters/undici/exchange.ts';
export { qrCode } from '../shared/adapters/qr/qr-code.ts';
export { skeleton } from '../shared/adapters/unhomoglyph/skeleton.ts';
export { parseModel } from '../shared/adapters/openfga/model-file.ts';
export { openSession } from './session.ts';

export function openStores(config: Pick<OpenFgaConfig, 'url' | 'apiToken'>): AuthorizationStores {
  return openFgaStores(config, undiciExchange);
}

export function openModels(config: OpenFgaConfig): AuthorizationModels {
  return openFgaModels(openFgaClient(config, undiciExchange));
}

export function openRelations(config: OpenFgaConfig): Relations {
  return openFgaRelations(openFgaClient(config, undiciExchange));
}

export function openTuples(config: OpenFgaConfig): Tuples {
  return openFgaTuples(openFgaClient(config, undiciExchange));
}

export function openDatabase(url: string): Database {
  return openPgDatabase({ url, max: 4, connectionTo });
}

export function openStoreCommands(url: string, clock: Clock): StoreCommands {
  return openRedisCommands({ url, clock });
}

/** `url`: base of Kanidm's own API. */
export function openFinaliseSync(url: string): FinaliseSync {
  return kanidmFinalise({ url }, undiciExchange);
}

/** `url`: base of Zitadel's API. `token`: of a service account. */
export function openZitadel(account: { readonly url: string; readonly token: string }): ZitadelApi {
  return openZitadelApi(account, undiciExchange);
}

export const processes: Processes & ProcessGroups = linuxProcesses();
