import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { request, StoreClient } from './client.ts';

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT.*Z$/;
const UNKNOWN = '01H00000000000000000000000';
const page = z.object({ stores: z.array(z.object({ id: z.string() })), continuation_token: z.string() });

export function storePromises(url: () => string): void {
  it('creates a store with a ULID and timestamps', async () => {
    expect(await request(url(), 'POST', '/stores', { name: 'demo' })).toEqual({
      status: 201,
      body: {
        id: expect.stringMatching(ULID) as string,
        name: 'demo',
        created_at: expect.stringMatching(TIMESTAMP) as string,
        updated_at: expect.stringMatching(TIMESTAMP) as string,
      },
    });
  });

  it.each(['ab', 'a'.repeat(65), 'no!', ''])('refuses the store name %j', async (name) => {
    expect(await request(url(), 'POST', '/stores', { name })).toMatchObject({
      status: 400,
      body: { code: 'validation_error' },
    });
  });

  it('finds stores by their exact name', async () => {
    const name = randomUUID();
    const { id } = await StoreClient.create(url(), name);
    await StoreClient.create(url(), `${name}-2`);
    const { body } = await request(url(), 'GET', `/stores?name=${name}`);
    expect(page.parse(body).stores).toEqual([{ id }]);
  });

  it('lists stores page by page, each once', async () => {
    const name = randomUUID();
    const ids = [await StoreClient.create(url(), name), await StoreClient.create(url(), name)].map(
      ({ id }) => id,
    );
    const first = page.parse((await request(url(), 'GET', `/stores?name=${name}&page_size=1`)).body);
    const token = encodeURIComponent(first.continuation_token);
    const next = await request(url(), 'GET', `/stores?name=${name}&page_size=1&continuation_token=${token}`);
    const second = page.parse(next.body);
    expect([...first.stores, ...second.stores].map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(second.continuation_token).toBe('');
  });

  it.each(['0', '101'])('refuses the page size %s', async (size) => {
    expect(await request(url(), 'GET', `/stores?page_size=${size}`)).toMatchObject({
      status: 400,
      body: { code: 'page_size_invalid' },
    });
  });

  it('answers 404 store_id_not_found to a store it does not have, 400 to an id that is none', async () => {
    expect(await request(url(), 'GET', `/stores/${UNKNOWN}`)).toMatchObject({
      status: 404,
      body: { code: 'store_id_not_found' },
    });
    expect(await request(url(), 'GET', '/stores/abc')).toMatchObject({
      status: 400,
      body: { code: 'validation_error' },
    });
  });

  it('keeps the tuples and models of two stores apart', async () => {
    const dsl = 'model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]';
    const filled = await StoreClient.with(url(), dsl, [['user:anne', 'viewer', 'doc:1']]);
    const other = await StoreClient.with(url(), dsl);
    expect((await filled.check(['user:anne', 'viewer', 'doc:1'])).body).toMatchObject({ allowed: true });
    expect((await other.check(['user:anne', 'viewer', 'doc:1'])).body).toMatchObject({ allowed: false });
  });
}
