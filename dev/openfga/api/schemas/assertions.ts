import * as z from 'zod';
import { atMost, matching, required, ULID } from './fields.ts';
import { checkedTupleKey, storeId, tupleKey } from './shared.ts';

const MAX_ASSERTIONS = 100;
const MAX_TUPLES_PER_ASSERTION = 20;

const assertion = z.object({
  tuple_key: required(
    'Assertion.TupleKey',
    checkedTupleKey('AssertionTupleKey'),
    'tuple_key_value_not_specified',
  ),
  expectation: z.boolean().default(false),
  contextual_tuples: atMost('Assertion.ContextualTuples', tupleKey, MAX_TUPLES_PER_ASSERTION),
});

export const readAssertions = z.object({
  store_id: storeId('ReadAssertionsRequest'),
  authorization_model_id: matching('ReadAssertionsRequest.AuthorizationModelId', ULID),
});

export const writeAssertions = z.object({
  store_id: storeId('WriteAssertionsRequest'),
  authorization_model_id: matching('WriteAssertionsRequest.AuthorizationModelId', ULID),
  assertions: atMost(
    'WriteAssertionsRequest.Assertions',
    assertion,
    MAX_ASSERTIONS,
    'assertions_too_many_items',
  ),
});
