import * as z from 'zod';
import {
  atLeastOne,
  atMostBytes,
  changesPageSize,
  consistency,
  fault,
  matchingIfSet,
  pageSize,
  RELATION_NAME,
} from './fields.ts';
import { continuationToken, modelId, OBJECT, storeId, tupleKey } from './shared.ts';

const READ_USER = /^[^\s]{1,511}:[^\s]{1,511}$/;
const CHANGED_TYPE = /^[^:#\s]{1,254}$/;

const deletedTupleKey = z.object({
  user: atMostBytes('TupleKeyWithoutCondition.User', 512),
  relation: matchingIfSet('TupleKeyWithoutCondition.Relation', RELATION_NAME),
  object: matchingIfSet('TupleKeyWithoutCondition.Object', OBJECT),
});

/** What happens to a tuple that is already there, or already gone, is judged after the tuples, as OpenFGA does. */
export const write = z.object({
  store_id: storeId('WriteRequest'),
  writes: z
    .object({
      tuple_keys: atLeastOne('WriteRequestWrites.TupleKeys', tupleKey),
      on_duplicate: z.string().default(''),
    })
    .optional(),
  deletes: z
    .object({
      tuple_keys: atLeastOne('WriteRequestDeletes.TupleKeys', deletedTupleKey),
      on_missing: z.string().default(''),
    })
    .optional(),
  authorization_model_id: modelId('WriteRequest'),
});

export const read = z.object({
  store_id: storeId('ReadRequest'),
  tuple_key: z
    .object({
      user: matchingIfSet('ReadRequestTupleKey.User', READ_USER),
      relation: matchingIfSet('ReadRequestTupleKey.Relation', RELATION_NAME),
      object: matchingIfSet('ReadRequestTupleKey.Object', OBJECT),
    })
    .optional(),
  page_size: pageSize('ReadRequest.PageSize'),
  continuation_token: continuationToken('ReadRequest'),
  consistency: consistency('ReadRequest.Consistency'),
});

export const changes = z.object({
  store_id: storeId('ReadChangesRequest'),
  type: matchingIfSet('ReadChangesRequest.Type', CHANGED_TYPE, 'type_invalid_pattern'),
  page_size: changesPageSize('ReadChangesRequest.PageSize'),
  continuation_token: continuationToken('ReadChangesRequest'),
  start_time: z.iso
    .datetime({ offset: true })
    .optional()
    .transform((text) => (text === undefined ? undefined : Date.parse(text)))
    .refine(
      (time) => time === undefined || time < Date.now(),
      fault('ReadChangesRequest.StartTime', 'value must be less than now'),
    ),
});
