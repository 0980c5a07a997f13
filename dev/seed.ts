import { readFile } from 'node:fs/promises';
import { transformer } from '@openfga/syntax-transformer';
import { z } from 'zod';
import { GRACE } from './legacy/people.ts';

/** The store and model the gateway asks. */
export interface Seeded {
  readonly storeId: string;
  readonly modelId: string;
}

export interface SeedOptions {
  /** Base URL of an OpenFGA server. */
  readonly url: string;
  /** The model in OpenFGA's language. */
  readonly modelFile?: URL;
}

const MODEL_FILE = new URL('../config/model.fga', import.meta.url);

/** Who may do what in the demo; carol is left with nothing. */
export const DEMO_TUPLES = [
  { user: 'user:alice', relation: 'viewer', object: 'feature:report_viewer' },
  { user: 'user:alice', relation: 'admin', object: 'document:1' },
  { user: 'user:bob', relation: 'admin', object: 'feature:admin_panel' },
  { user: 'user:bob', relation: 'viewer', object: 'document:1' },
  { user: 'user:alice', relation: 'viewer', object: 'feature:migration_figures' },
  // Who opens the page of the figures.
  { user: `user:${GRACE.id}`, relation: 'viewer', object: 'feature:migration_figures' },
] as const;

const StoreAnswer = z.object({ id: z.string() });
const ModelAnswer = z.object({ authorization_model_id: z.string() });

/** Makes a store, writes the model and the demo's tuples into it. */
export async function seed({ url, modelFile = MODEL_FILE }: SeedOptions): Promise<Seeded> {
  const model: unknown = transformer.transformDSLToJSONObject(await readFile(modelFile, 'utf8'));
  const { id: storeId } = StoreAnswer.parse(await post(`${url}/stores`, { name: 'sallyport-demo' }));
  const store = `${url}/stores/${storeId}`;
  const { authorization_model_id: modelId } = ModelAnswer.parse(
    await post(`${store}/authorization-models`, model),
  );
  await post(`${store}/write`, { writes: { tuple_keys: DEMO_TUPLES }, authorization_model_id: modelId });
  return { storeId, modelId };
}

async function post(url: string, body: unknown): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`OpenFGA answered ${answer.status} to POST ${url}: ${await answer.text()}`);
  return answer.json();
}
