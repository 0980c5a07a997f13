import { expect, it } from 'vitest';

/** Of servers started with the token `secret`. */
export function bearerPromises(url: () => string): void {
  async function ask(path: string, authorization?: string): Promise<unknown> {
    const headers = authorization === undefined ? {} : { authorization };
    const response = await fetch(url() + path, { headers });
    const body: unknown = await response.json();
    return { status: response.status, body };
  }

  it.each([undefined, 'Basic c2VjcmV0', 'secret'])(
    'answers 401 bearer_token_missing to Authorization: %s',
    async (header) => {
      expect(await ask('/stores', header)).toMatchObject({
        status: 401,
        body: { code: 'bearer_token_missing' },
      });
    },
  );

  it('answers 401 unauthenticated to another token', async () => {
    expect(await ask('/stores', 'Bearer other')).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    });
  });

  it('answers who has the token, however Bearer is spelled', async () => {
    expect(await ask('/stores', 'Bearer secret')).toMatchObject({ status: 200 });
    expect(await ask('/stores', 'bearer secret')).toMatchObject({ status: 200 });
  });

  it('tells its health to anyone', async () => {
    expect(await ask('/healthz')).toMatchObject({ status: 200 });
  });
}
