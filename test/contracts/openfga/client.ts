import { transformer } from '@openfga/syntax-transformer';
import * as z from 'zod';

/** `user relation object`, as a sentence reads. */
export type Fact = readonly [user: string, relation: string, object: string];

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const created = z.object({ id: z.string() });
const createdModel = z.object({ authorization_model_id: z.string() });

export function tupleKey([user, relation, object]: Fact) {
  return { user, relation, object };
}

export function tupleKeys(facts: readonly Fact[]) {
  return { tuple_keys: facts.map(tupleKey) };
}

export function modelFrom(dsl: string): object {
  return transformer.transformDSLToJSONObject(dsl);
}

export async function request(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** One store of a server under test. */
export class StoreClient {
  readonly url: string;
  readonly id: string;

  constructor(url: string, id: string) {
    this.url = url;
    this.id = id;
  }

  static async create(url: string, name = 'contract'): Promise<StoreClient> {
    const { body } = await request(url, 'POST', '/stores', { name });
    return new StoreClient(url, created.parse(body).id);
  }

  /** A store with a model and tuples in it. */
  static async with(url: string, dsl: string, facts: readonly Fact[] = []): Promise<StoreClient> {
    const store = await StoreClient.create(url);
    await store.writeModel(modelFrom(dsl));
    await store.writeAll(facts);
    return store;
  }

  post(path: string, body: unknown): Promise<Answer> {
    return request(this.url, 'POST', `/stores/${this.id}/${path}`, body);
  }

  get(path: string): Promise<Answer> {
    return request(this.url, 'GET', `/stores/${this.id}/${path}`);
  }

  async writeModel(model: object): Promise<string> {
    const { body } = await this.post('authorization-models', model);
    return createdModel.parse(body).authorization_model_id;
  }

  async writeAll(facts: readonly Fact[]): Promise<void> {
    for (let start = 0; start < facts.length; start += 100) {
      const { status, body } = await this.write(facts.slice(start, start + 100));
      if (status !== 200) throw new Error(`write failed: ${JSON.stringify(body)}`);
    }
  }

  write(facts: readonly Fact[], options: object = {}): Promise<Answer> {
    return this.post('write', { writes: { ...tupleKeys(facts), ...options } });
  }

  delete(facts: readonly Fact[], options: object = {}): Promise<Answer> {
    return this.post('write', { deletes: { ...tupleKeys(facts), ...options } });
  }

  check(fact: Fact, more: object = {}): Promise<Answer> {
    return this.post('check', { tuple_key: tupleKey(fact), ...more });
  }
}
