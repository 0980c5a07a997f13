import * as z from 'zod';
import {
  atMost,
  atMostBytes,
  consistency,
  CONTINUATION_TOKEN,
  matching,
  matchingIfSet,
  RELATION_NAME,
  ULID,
} from './fields.ts';

export const OBJECT = /^[^\s]{2,256}$/;
const USER = /^[^\s]{2,512}$/;
const MAX_CONTEXTUAL_TUPLES = 100;

export const storeId = (message: string) => matching(`${message}.StoreId`, ULID);

/** Empty = the latest model of the store. */
export const modelId = (message: string) => matchingIfSet(`${message}.AuthorizationModelId`, ULID);

export const continuationToken = (message: string) =>
  matching(`${message}.ContinuationToken`, CONTINUATION_TOKEN);

/** What every query names: the store, the model and how fresh the answer must be. */
export const query = (message: string) => ({
  store_id: storeId(message),
  authorization_model_id: modelId(message),
  consistency: consistency(`${message}.Consistency`),
});

/** `condition` is read only to be refused: see `conditionsUnsupported`. */
export const tupleKey = z.object({
  user: atMostBytes('TupleKey.User', 512),
  relation: matchingIfSet('TupleKey.Relation', RELATION_NAME),
  object: matchingIfSet('TupleKey.Object', OBJECT),
  condition: z.looseObject({}).optional(),
});

export const checkedTupleKey = (message: string) =>
  z.object({
    user: matching(`${message}.User`, USER),
    relation: matching(`${message}.Relation`, RELATION_NAME),
    object: matching(`${message}.Object`, OBJECT),
  });

export const contextualTuples = (field: string) => atMost(field, tupleKey, MAX_CONTEXTUAL_TUPLES);

/** Check, Expand and ListObjects wrap contextual tuples in an object; ListUsers does not. */
export const wrappedContextualTuples = z
  .object({ tuple_keys: contextualTuples('ContextualTupleKeys.TupleKeys') })
  .default({ tuple_keys: [] });
