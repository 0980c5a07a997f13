import { startOpenFga, type OpenFga } from '../dev/openfga/index.ts';
import { seed } from '../dev/seed.ts';

export interface Authorization extends OpenFga {
  readonly storeId: string;
  readonly modelId: string;
}

/** The relation that the bench's one rule asks for. */
export const FEATURE = 'bench';

/** The OpenFGA stand-in, with everybody a viewer of the feature. */
export async function startAuthorization(): Promise<Authorization> {
  const server = await startOpenFga();
  const { storeId, modelId } = await seed({ url: server.url });
  const tuple = { user: 'user:*', relation: 'viewer', object: `feature:${FEATURE}` };
  const answer = await fetch(`${server.url}/stores/${storeId}/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ writes: { tuple_keys: [tuple] }, authorization_model_id: modelId }),
  });
  if (!answer.ok) throw new Error(`the OpenFGA stand-in answered ${answer.status}`);
  return { ...server, storeId, modelId };
}
