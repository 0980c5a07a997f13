import { FgaError, resolutionTooComplex, validationError, type ErrorCode } from '../errors.ts';
import type { AuthorizationModel } from '../model/model.ts';
import { assertContextualTuples, faultOfQuestion, type ProposedTuple } from '../model/tuple-rules.ts';
import type { TupleStore } from '../storage/tuple-store.ts';
import { TupleView } from '../storage/tuple-view.ts';
import type { TupleKey } from '../tuple.ts';
import { Resolver } from './resolve.ts';

export function check(
  model: AuthorizationModel,
  store: TupleStore,
  key: TupleKey,
  contextual: readonly ProposedTuple[],
): boolean {
  const reason = faultOfQuestion(model, key);
  if (reason !== undefined) throw validationError(`invalid relation: ${reason}`);
  assertContextualTuples(model, contextual);
  const view = new TupleView(model, store, contextual);
  const outcome = new Resolver(view, key.user).resolve(key.object, key.relation);
  if (outcome === 'too_deep') throw resolutionTooComplex();
  return outcome === 'allowed';
}

export interface BatchItem {
  readonly correlation_id: string;
  readonly tuple_key: TupleKey;
  readonly contextual_tuples: { readonly tuple_keys: readonly ProposedTuple[] };
}

type BatchResult =
  | { readonly allowed: boolean }
  | { readonly error: { readonly input_error: ErrorCode; readonly message: string } };

const MAX_CHECKS = 50;

/** Each item is answered by itself: equal tuples with different contextual tuples are different questions. */
export function batchCheck(
  model: AuthorizationModel,
  store: TupleStore,
  items: readonly BatchItem[],
): Record<string, BatchResult> {
  if (items.length > MAX_CHECKS) {
    throw validationError(`batchCheck received ${items.length} checks, the maximum allowed is ${MAX_CHECKS}`);
  }
  const results = new Map<string, BatchResult>();
  for (const { correlation_id: id } of items) {
    if (results.has(id)) throw validationError(`received duplicate correlation id: ${id}`);
    results.set(id, { allowed: false });
  }
  for (const item of items) results.set(item.correlation_id, checkItem(model, store, item));
  return Object.fromEntries(results);
}

function checkItem(model: AuthorizationModel, store: TupleStore, item: BatchItem): BatchResult {
  try {
    return { allowed: check(model, store, item.tuple_key, item.contextual_tuples.tuple_keys) };
  } catch (error) {
    if (!(error instanceof FgaError)) throw error;
    return { error: { input_error: error.code, message: error.message } };
  }
}
