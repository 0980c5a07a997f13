import { FgaError } from '../errors.ts';
import { encodeModel } from '../model/encode.ts';
import { assertValidModel } from '../model/validate.ts';
import { decodeToken, encodeToken, pageOf } from '../storage/paging.ts';
import type { Store, Stores } from '../storage/stores.ts';
import { parseRequest } from './parse.ts';
import type { Call, Endpoint, Reply } from './route.ts';
import { writeModel } from './schemas/model.ts';
import { createStore, deleteStore, getModel, getStore, listModels, listStores } from './schemas/stores.ts';

const MAX_TYPES = 100;

export function storeEndpoints(stores: Stores): readonly Endpoint[] {
  return [
    { method: 'POST', pattern: '/stores', handle: (call) => create(stores, call) },
    { method: 'GET', pattern: '/stores', handle: (call) => list(stores, call) },
    {
      method: 'GET',
      pattern: '/stores/{store_id}',
      handle: ({ path }) => {
        const store = stores.get(parseRequest(getStore, path).store_id);
        return { status: 200, body: encodeStore(store) };
      },
    },
    {
      method: 'DELETE',
      pattern: '/stores/{store_id}',
      handle: ({ path }) => {
        stores.delete(parseRequest(deleteStore, path).store_id);
        return { status: 204 };
      },
    },
    {
      method: 'POST',
      pattern: '/stores/{store_id}/authorization-models',
      handle: (call) => createModel(stores, call),
    },
    {
      method: 'GET',
      pattern: '/stores/{store_id}/authorization-models',
      handle: (call) => showModels(stores, call),
    },
    {
      method: 'GET',
      pattern: '/stores/{store_id}/authorization-models/{id}',
      handle: ({ path }) => {
        const { store_id, id } = parseRequest(getModel, path);
        const model = stores.contents(store_id).model(id);
        return { status: 200, body: { authorization_model: encodeModel(model) } };
      },
    },
  ];
}

function create(stores: Stores, { body }: Call): Reply {
  return { status: 201, body: stores.create(parseRequest(createStore, body).name) };
}

function list(stores: Stores, { query }: Call): Reply {
  const { name, page_size, continuation_token } = parseRequest(listStores, query);
  const { offset } = decodeToken(continuation_token);
  const named = stores.list().filter((store) => name === '' || store.name === name);
  const page = pageOf(named, offset, page_size);
  return {
    status: 200,
    body: {
      stores: page.items.map(encodeStore),
      continuation_token: page.more ? encodeToken(page.next) : '',
    },
  };
}

function encodeStore(store: Store): object {
  return { ...store, deleted_at: null };
}

function createModel(stores: Stores, { path, body }: Call): Reply {
  const { store_id, definition } = parseRequest(writeModel, { ...body, ...path });
  if (definition.types.length > MAX_TYPES) {
    const message = `The number of type definitions in an authorization model exceeds the allowed limit of ${MAX_TYPES}`;
    throw new FgaError('exceeded_entity_limit', message);
  }
  assertValidModel(definition);
  const model = stores.contents(store_id).addModel(definition);
  return { status: 201, body: { authorization_model_id: model.id } };
}

function showModels(stores: Stores, { path, query }: Call): Reply {
  const { store_id, page_size, continuation_token } = parseRequest(listModels, { ...query, ...path });
  const { offset } = decodeToken(continuation_token);
  const page = pageOf(stores.contents(store_id).modelsNewestFirst(), offset, page_size);
  return {
    status: 200,
    body: {
      authorization_models: page.items.map(encodeModel),
      continuation_token: page.more ? encodeToken(page.next) : '',
    },
  };
}
