import { expect, it } from 'vitest';
import { request } from './client.ts';

export function bodyPromises(url: () => string): void {
  it.each([
    ['cut off', '{"name":'],
    ['not JSON', 'name=demo'],
    ['an array', '[]'],
    ['a string', '"demo"'],
    ['of wrong types', '{"name":3}'],
  ])('answers 400 validation_error to a body that is %s', async (_fault, body) => {
    expect(await request(url(), 'POST', '/stores', body)).toMatchObject({
      status: 400,
      body: { code: 'validation_error' },
    });
  });

  it('ignores fields it does not know and takes null for absent', async () => {
    const { status } = await request(url(), 'POST', '/stores', { name: 'demo', colour: 'red', id: null });
    expect(status).toBe(201);
  });
}

/** A wrong OPENFGA_URL is told from a server that is away by these. */
export function unknownEndpointPromises(url: () => string): void {
  it.each(['/', '/nope', '/stores/a/b/c/d'])('answers 404 undefined_endpoint on %s', async (path) => {
    expect(await request(url(), 'POST', path, {})).toMatchObject({
      status: 404,
      body: { code: 'undefined_endpoint' },
    });
  });

  it('answers 404 unimplemented to a method an endpoint does not have', async () => {
    expect(await request(url(), 'PUT', '/stores', {})).toMatchObject({
      status: 404,
      body: { code: 'unimplemented' },
    });
  });
}
