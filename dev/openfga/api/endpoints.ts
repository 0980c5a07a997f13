import type { Stores } from '../storage/stores.ts';
import { queryEndpoints } from './query-endpoints.ts';
import type { Endpoint } from './route.ts';
import { storeEndpoints } from './store-endpoints.ts';
import { tupleEndpoints } from './tuple-endpoints.ts';

const HEALTH: Endpoint = {
  method: 'GET',
  pattern: '/healthz',
  open: true,
  handle: () => ({ status: 200, body: { status: 'SERVING' } }),
};

export function endpointsOf(stores: Stores): readonly Endpoint[] {
  return [HEALTH, ...storeEndpoints(stores), ...tupleEndpoints(stores), ...queryEndpoints(stores)];
}
