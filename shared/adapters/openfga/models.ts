import { FgaApiNotFoundError, type OpenFgaClient, type WriteAuthorizationModelRequest } from '@openfga/sdk';
import * as z from 'zod';
import {
  authorizationModelSchema,
  type AuthorizationModels,
  type AuthorizationStores,
} from '../../ports/authorization-models.ts';
import type { OpenFgaConfig } from '../../configuration/stores.ts';
import type { Exchange } from '../../ports/runtime.ts';
import { guarded, openFgaClient } from './client.ts';

const PAGE_SIZE = 100;

/** The SDK sends what the schema has checked; its own types are narrower than the JSON of other servers. */
const request = z.custom<WriteAuthorizationModelRequest>(
  (model) => authorizationModelSchema.safeParse(model).success,
);

/** The models of the client's store. */
export function openFgaModels(client: OpenFgaClient): AuthorizationModels {
  return {
    async latest() {
      const { authorization_model: found } = await guarded(() => client.readLatestAuthorizationModel());
      return found && { id: found.id, model: authorizationModelSchema.parse(found) };
    },
    async served() {
      const { authorizationModelId: pinned } = client;
      const { authorization_model: found } = await guarded(() =>
        pinned === undefined
          ? client.readLatestAuthorizationModel()
          : client.readAuthorizationModel({ authorizationModelId: pinned }),
      );
      return found && { id: found.id, model: authorizationModelSchema.parse(found) };
    },
    async write(model) {
      const { authorization_model_id: id } = await guarded(() =>
        client.writeAuthorizationModel(request.parse(model)),
      );
      return id;
    },
  };
}

/** The stores of a server; the configured store id is not used. */
export function openFgaStores(
  config: Pick<OpenFgaConfig, 'url' | 'apiToken'>,
  exchange: Exchange,
): AuthorizationStores {
  const clientOf = (storeId: string): OpenFgaClient =>
    openFgaClient({ ...config, storeId, modelId: null }, exchange);
  const client = clientOf('');
  return {
    async named(name) {
      const ids: string[] = [];
      let continuationToken = '';
      do {
        const page = await guarded(() =>
          client.listStores({ pageSize: PAGE_SIZE, ...(continuationToken !== '' && { continuationToken }) }),
        );
        ids.push(...page.stores.flatMap((store) => (store.name === name ? [store.id] : [])));
        continuationToken = page.continuation_token;
      } while (continuationToken !== '');
      return ids;
    },
    exists: (id) => guarded(() => found(clientOf(id))),
    async create(name) {
      return (await guarded(() => client.createStore({ name }))).id;
    },
    models: (storeId) => openFgaModels(clientOf(storeId)),
  };
}

async function found(client: OpenFgaClient): Promise<boolean> {
  try {
    await client.getStore();
    return true;
  } catch (error) {
    if (error instanceof FgaApiNotFoundError) return false;
    throw error;
  }
}
