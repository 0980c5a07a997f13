import { check } from './check.ts';
import { FgaError, unsupported } from './faults.ts';
import type { AuthorizationModel } from './model.ts';
import * as requests from './requests.ts';
import { newUlid, Store } from './store.ts';

const { parseRequest } = requests;

export interface Reply {
  readonly status: number;
  readonly body: object;
}

/** By method and path (`:name` takes any one segment): what answers to the values of path, query and body. */
export type Endpoints = Readonly<Record<string, (input: object) => Reply>>;

interface StoreEntry {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** The endpoints that the gateway, `sallyport` and the demo call, over stores that live as long as this list. */
export function endpoints(): Endpoints {
  const entries = new Map<string, StoreEntry>();
  const contents = new Map<string, Store>();
  // As in OpenFGA's own memory, what is stored does not ask for its entry: an unknown store is an empty one.
  const storeOf = (id: string): Store => {
    const store = contents.get(id) ?? new Store(id);
    contents.set(id, store);
    return store;
  };
  return {
    'POST /stores': (input) => {
      const { name } = parseRequest(requests.createStore, input);
      const now = new Date().toISOString();
      const entry = { id: newUlid(), name, created_at: now, updated_at: now };
      entries.set(entry.id, entry);
      return { status: 201, body: entry };
    },
    'GET /stores': (input) => {
      const request = parseRequest(requests.listStores, input);
      const named = [...entries.values()].filter(({ name }) => request.name === '' || name === request.name);
      const listed = named.map((entry) => ({ ...entry, deleted_at: null }));
      return ok(pageOf('stores', listed, request));
    },
    'GET /stores/:store_id': (input) => {
      const entry = entries.get(parseRequest(requests.getStore, input).store_id);
      if (entry === undefined) throw new FgaError('store_id_not_found', 'Store ID not found', 404);
      return ok({ ...entry, deleted_at: null });
    },
    'POST /stores/:store_id/authorization-models': (input) => {
      const { store_id: id, ...definition } = parseRequest(requests.writeModel, input);
      return { status: 201, body: { authorization_model_id: storeOf(id).addModel(definition).id } };
    },
    'GET /stores/:store_id/authorization-models': (input) => {
      const request = parseRequest(requests.listModels, input);
      const models = storeOf(request.store_id).modelsNewestFirst().map(shown);
      return ok(pageOf('authorization_models', models, request));
    },
    'GET /stores/:store_id/authorization-models/:id': (input) => {
      const { store_id: store, id } = parseRequest(requests.getModel, input);
      return ok({ authorization_model: shown(storeOf(store).model(id)) });
    },
    'POST /stores/:store_id/write': (input) => {
      const request = parseRequest(requests.write, input);
      storeOf(request.store_id).write(request);
      return ok({});
    },
    'POST /stores/:store_id/read': (input) => {
      const request = parseRequest(requests.read, input);
      const tuples = storeOf(request.store_id).matching(request.tuple_key);
      const all = tuples.map(({ key, timestamp }) => ({ key: { ...key, condition: null }, timestamp }));
      return ok(pageOf('tuples', all, request));
    },
    'POST /stores/:store_id/check': (input) => {
      const request = parseRequest(requests.check, input);
      if ((request.contextual_tuples?.tuple_keys.length ?? 0) > 0) throw unsupported('contextual tuples');
      const store = storeOf(request.store_id);
      const allowed = check(store.model(request.authorization_model_id), store, request.tuple_key);
      return ok({ allowed, resolution: '' });
    },
  };
}

function ok(body: object): Reply {
  return { status: 200, body };
}

function shown({ id, definition }: AuthorizationModel): object {
  return { id, ...definition };
}

/** Tokens are opaque to clients: how many items were shown before. */
function pageOf(
  name: string,
  items: readonly object[],
  { page_size: size, continuation_token: token }: { page_size: number; continuation_token: string },
): object {
  const from = token === '' ? '0' : Buffer.from(token, 'base64url').toString();
  if (!/^\d+$/.test(from)) throw new FgaError('invalid_continuation_token', 'Invalid continuation token');
  const end = Number(from) + size;
  const next = end < items.length ? Buffer.from(String(end)).toString('base64url') : '';
  return { [name]: items.slice(Number(from), end), continuation_token: next };
}
