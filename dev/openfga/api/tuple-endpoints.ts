import { validationError } from '../errors.ts';
import { assertWritable, faultOfQuestion } from '../model/tuple-rules.ts';
import { read, readChanges } from '../storage/read.ts';
import type { Stores } from '../storage/stores.ts';
import { write } from '../storage/write.ts';
import { parseRequest } from './parse.ts';
import type { Call, Endpoint, Reply } from './route.ts';
import * as assertionSchemas from './schemas/assertions.ts';
import * as schemas from './schemas/tuples.ts';

const ASSERTIONS = '/stores/{store_id}/assertions/{authorization_model_id}';

export function tupleEndpoints(stores: Stores): readonly Endpoint[] {
  return [
    {
      method: 'POST',
      pattern: '/stores/{store_id}/write',
      handle: ({ path, body }) => {
        const request = parseRequest(schemas.write, { ...body, ...path });
        const contents = stores.contents(request.store_id);
        write(contents.model(request.authorization_model_id), contents.tuples, request);
        return { status: 200, body: {} };
      },
    },
    {
      method: 'POST',
      pattern: '/stores/{store_id}/read',
      handle: ({ path, body }) => {
        const request = parseRequest(schemas.read, { ...body, ...path });
        return { status: 200, body: read(stores.contents(request.store_id).tuples, request) };
      },
    },
    {
      method: 'GET',
      pattern: '/stores/{store_id}/changes',
      handle: ({ path, query }) => {
        const request = parseRequest(schemas.changes, { ...query, ...path });
        return { status: 200, body: readChanges(stores.contents(request.store_id).tuples, request) };
      },
    },
    { method: 'GET', pattern: ASSERTIONS, handle: (call) => getAssertions(stores, call) },
    { method: 'PUT', pattern: ASSERTIONS, handle: (call) => putAssertions(stores, call) },
  ];
}

function getAssertions(stores: Stores, { path }: Call): Reply {
  const { store_id, authorization_model_id: id } = parseRequest(assertionSchemas.readAssertions, path);
  const contents = stores.contents(store_id);
  const { id: modelId } = contents.model(id);
  const assertions = contents.assertions.get(modelId) ?? [];
  return {
    status: 200,
    body: {
      authorization_model_id: modelId,
      assertions: assertions.map((assertion) => ({
        ...assertion,
        contextual_tuples: assertion.contextual_tuples.map((key) => ({ ...key, condition: null })),
        context: null,
      })),
    },
  };
}

function putAssertions(stores: Stores, { path, body }: Call): Reply {
  const request = parseRequest(assertionSchemas.writeAssertions, { ...body, ...path });
  const contents = stores.contents(request.store_id);
  const model = contents.model(request.authorization_model_id);
  for (const { tuple_key, contextual_tuples } of request.assertions) {
    const reason = faultOfQuestion(model, tuple_key);
    if (reason !== undefined) throw validationError(reason);
    for (const tuple of contextual_tuples) assertWritable(model, tuple);
  }
  contents.assertions.set(model.id, request.assertions);
  return { status: 204 };
}
