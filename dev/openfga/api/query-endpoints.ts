import { FgaError } from '../errors.ts';
import { batchCheck, check } from '../queries/check.ts';
import { expand } from '../queries/expand.ts';
import { listObjects } from '../queries/list-objects.ts';
import { listUsers } from '../queries/list-users.ts';
import type { Stores } from '../storage/stores.ts';
import { parseRequest } from './parse.ts';
import type { Call, Endpoint, Reply } from './route.ts';
import * as schemas from './schemas/queries.ts';

const GRPC_INVALID_ARGUMENT = 3;

export function queryEndpoints(stores: Stores): readonly Endpoint[] {
  const query = (name: string, handle: (stores: Stores, input: object) => Reply): Endpoint => ({
    method: 'POST',
    pattern: `/stores/{store_id}/${name}`,
    handle: ({ path, body }: Call) => handle(stores, { ...body, ...path }),
  });
  return [
    query('check', answerCheck),
    query('batch-check', answerBatchCheck),
    query('list-objects', answerListObjects),
    query('streamed-list-objects', answerStreamedListObjects),
    query('list-users', answerListUsers),
    query('expand', answerExpand),
  ];
}

function answerCheck(stores: Stores, input: object): Reply {
  const request = parseRequest(schemas.check, input);
  const { tuples, model } = target(stores, request);
  const allowed = check(model, tuples, request.tuple_key, request.contextual_tuples.tuple_keys);
  return { status: 200, body: { allowed, resolution: '' } };
}

function answerBatchCheck(stores: Stores, input: object): Reply {
  const request = parseRequest(schemas.batchCheck, input);
  const { tuples, model } = target(stores, request);
  return { status: 200, body: { result: batchCheck(model, tuples, request.checks) } };
}

function answerListObjects(stores: Stores, input: object): Reply {
  return { status: 200, body: { objects: objectsFor(stores, input, 'ListObjectsRequest') } };
}

/** A streaming call reports faults the way gRPC streams do: in an envelope, with the number instead of the name. */
function answerStreamedListObjects(stores: Stores, input: object): Reply {
  try {
    const objects = objectsFor(stores, input, 'StreamedListObjectsRequest');
    return { status: 200, lines: objects.map((object) => ({ result: { object } })) };
  } catch (error) {
    if (!(error instanceof FgaError) || error.status !== 400) throw error;
    const { status, message } = error;
    return { status, body: { error: { code: GRPC_INVALID_ARGUMENT, message, details: [] } } };
  }
}

function objectsFor(
  stores: Stores,
  input: object,
  message: 'ListObjectsRequest' | 'StreamedListObjectsRequest',
): readonly string[] {
  const request = parseRequest(schemas.listObjects(message), input);
  const { tuples, model } = target(stores, request);
  const contextual = request.contextual_tuples.tuple_keys;
  return listObjects(model, tuples, { ...request, contextual });
}

function answerListUsers(stores: Stores, input: object): Reply {
  const request = parseRequest(schemas.listUsers, input);
  const { tuples, model } = target(stores, request);
  const users = listUsers(model, tuples, {
    object: request.object,
    relation: request.relation,
    filter: request.user_filters,
    contextual: request.contextual_tuples,
  });
  return { status: 200, body: { users } };
}

function answerExpand(stores: Stores, input: object): Reply {
  const request = parseRequest(schemas.expand, input);
  const { tuples, model } = target(stores, request);
  const tree = expand(model, tuples, request.tuple_key, request.contextual_tuples.tuple_keys);
  return { status: 200, body: { tree } };
}

function target(stores: Stores, request: { store_id: string; authorization_model_id: string }) {
  const contents = stores.contents(request.store_id);
  return { tuples: contents.tuples, model: contents.model(request.authorization_model_id) };
}
