import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import type { Tuples } from '../../shared/ports/tuples.ts';
import { openFgaBinary, startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { createEngine } from './engine.ts';
import { empty, statusesIn } from './tables.ts';

const user = { type: 'user' };
const conditional = { type: 'user', condition: 'below' };
const MODEL = {
  schema_version: '1.1',
  type_definitions: [
    user,
    {
      type: 'feature',
      relations: { viewer: { this: {} } },
      metadata: { relations: { viewer: { directly_related_user_types: [user, conditional] } } },
    },
    {
      type: 'organization',
      relations: { member: { this: {} } },
      metadata: { relations: { member: { directly_related_user_types: [user] } } },
    },
  ],
  conditions: {
    below: { name: 'below', expression: 'x < 10', parameters: { x: { type_name: 'TYPE_NAME_INT' } } },
  },
};
const LACKING = { ...MODEL, type_definitions: MODEL.type_definitions.slice(0, 2) };
const Made = z.object({ id: z.string().optional(), authorization_model_id: z.string().optional() });

describe.skipIf(openFgaBinary() === undefined)('on a real OpenFGA (needs its binary)', () => {
  let fga: OpenFgaService;
  let db: MigratedDatabase;
  beforeAll(async () => {
    fga = (await startRealOpenFga())!;
    db = await DATABASE.start();
  });
  afterAll(async () => {
    await fga.close();
    await db.close();
  });
  beforeEach(() => empty(db.database));

  const post = async (path: string, body: unknown) => {
    const answer = await fetch(fga.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return Made.parse(await answer.json());
  };

  async function storeWith(model: object, change: { readonly modelId?: string } = {}): Promise<Tuples> {
    const { id: storeId = '' } = await post('/stores', { name: 'refusals' });
    const { authorization_model_id: modelId = '' } = await post(
      `/stores/${storeId}/authorization-models`,
      model,
    );
    return openFgaTuples(
      openFgaClient({ url: fga.url, storeId, modelId, apiToken: null, ...change }, undiciExchange),
    );
  }

  async function happens(tuples: Tuples) {
    const engine = createEngine(db.database, { tuples });
    await engine.arrive({ sequence: 1 });
    await engine.arrive({ sequence: 2, type: 'user.username.changed', payload: { userName: 'x' } });
    await engine.settle();
    return statusesIn(db.database);
  }

  it('a tuple that is there under a condition sets the event aside at once, with the reason, and later ones go on', async () => {
    const tuples = await storeWith(MODEL);
    const condition = { name: 'below', context: {} };
    await tuples.write({
      writes: [{ user: 'user:u1', relation: 'viewer', object: 'feature:start', condition }],
    });
    expect(await happens(tuples)).toMatchObject([
      { status: 'dead', attempts: 1, last_error: expect.stringContaining('another condition') as unknown },
      { status: 'applied' },
    ]);
  });

  it('a type that the model lacks sets the event aside at once, with the reason', async () => {
    expect(await happens(await storeWith(LACKING))).toMatchObject([
      { status: 'dead', attempts: 1, last_error: expect.stringContaining('organization') as unknown },
      { status: 'applied' },
    ]);
  });

  it('a model that OPENFGA_MODEL_ID names wrongly is the configuration: the event waits for it', async () => {
    const tuples = await storeWith(MODEL, { modelId: '01HVMMBCMGZNT3SED4Z17ECXCA' });
    expect(await happens(tuples)).toMatchObject([{ status: 'pending', attempts: 1 }, { status: 'pending' }]);
  });
});
