import * as z from 'zod';
import { atLeastOne, fault, matching, matchingIfSet, RELATION_NAME, required, typeName } from './fields.ts';
import { checkedTupleKey, contextualTuples, OBJECT, query, wrappedContextualTuples } from './shared.ts';

const CORRELATION_ID = /^[\w\d-]{1,36}$/;
const OBJECT_ID = /[^#:\s]+$/;
const MAX_USER_BYTES = 512;

export const check = z.object({
  ...query('CheckRequest'),
  tuple_key: required(
    'CheckRequest.TupleKey',
    checkedTupleKey('CheckRequestTupleKey'),
    'tuple_key_value_not_specified',
  ),
  contextual_tuples: wrappedContextualTuples,
});

const batchCheckItem = z.object({
  tuple_key: required(
    'BatchCheckItem.TupleKey',
    checkedTupleKey('CheckRequestTupleKey'),
    'tuple_key_value_not_specified',
  ),
  contextual_tuples: wrappedContextualTuples,
  correlation_id: matching('BatchCheckItem.CorrelationId', CORRELATION_ID),
});

export const batchCheck = z.object({
  ...query('BatchCheckRequest'),
  checks: atLeastOne('BatchCheckRequest.Checks', batchCheckItem),
});

export const listObjects = (message: 'ListObjectsRequest' | 'StreamedListObjectsRequest') =>
  z.object({
    ...query(message),
    type: typeName(`${message}.Type`),
    relation: matching(`${message}.Relation`, RELATION_NAME),
    user: z
      .string()
      .default('')
      .refine(
        (user) => user !== '' && Buffer.byteLength(user) <= MAX_USER_BYTES,
        fault(`${message}.User`, `value length must be between 1 and ${MAX_USER_BYTES} bytes, inclusive`),
      ),
    contextual_tuples: wrappedContextualTuples,
  });

const userFilter = z.object({
  type: typeName('UserTypeFilter.Type'),
  relation: matchingIfSet('UserTypeFilter.Relation', RELATION_NAME),
});

/** Parses to the one filter there may be. */
const userFilters = z
  .array(userFilter)
  .default([])
  .transform(([filter, ...others], context) => {
    if (filter !== undefined && others.length === 0) return filter;
    const { error, params } = fault('ListUsersRequest.UserFilters', 'value must contain exactly 1 item(s)');
    context.addIssue({ code: 'custom', message: error, params });
    return z.NEVER;
  });

export const listUsers = z.object({
  ...query('ListUsersRequest'),
  object: required(
    'ListUsersRequest.Object',
    z.object({ type: typeName('Object.Type'), id: matching('Object.Id', OBJECT_ID) }),
  ),
  relation: matching('ListUsersRequest.Relation', RELATION_NAME),
  user_filters: userFilters,
  contextual_tuples: contextualTuples('ListUsersRequest.ContextualTuples'),
});

export const expand = z.object({
  ...query('ExpandRequest'),
  tuple_key: required(
    'ExpandRequest.TupleKey',
    z.object({
      relation: matchingIfSet('ExpandRequestTupleKey.Relation', RELATION_NAME),
      object: matchingIfSet('ExpandRequestTupleKey.Object', OBJECT),
    }),
    'tuple_key_value_not_specified',
  ),
  contextual_tuples: wrappedContextualTuples,
});
