import * as z from 'zod';
import { matching, matchingIfSet, pageSize, ULID } from './fields.ts';
import { continuationToken, storeId } from './shared.ts';

const STORE_NAME = /^[a-zA-Z0-9\s\.\-\/^_&@]{3,64}$/;

export const createStore = z.object({ name: matching('CreateStoreRequest.Name', STORE_NAME) });

export const listStores = z.object({
  page_size: pageSize('ListStoresRequest.PageSize'),
  continuation_token: continuationToken('ListStoresRequest'),
  name: matchingIfSet('ListStoresRequest.Name', STORE_NAME),
});

export const getStore = z.object({ store_id: storeId('GetStoreRequest') });

export const deleteStore = z.object({ store_id: storeId('DeleteStoreRequest') });

export const listModels = z.object({
  store_id: storeId('ReadAuthorizationModelsRequest'),
  page_size: pageSize('ReadAuthorizationModelsRequest.PageSize'),
  continuation_token: continuationToken('ReadAuthorizationModelsRequest'),
});

export const getModel = z.object({
  store_id: storeId('ReadAuthorizationModelRequest'),
  id: matching('ReadAuthorizationModelRequest.Id', ULID),
});
