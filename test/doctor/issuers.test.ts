import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createIssuer, type FakeIssuer } from '../support/issuer.ts';
import { serve, type Served } from '../support/serve.ts';
import { containing, doctor, found } from './stage.ts';

const CLIENT = { id: 'gateway', secret: 'the-secret-of-a-client' };

describe('checks of issuers', () => {
  let issuer: FakeIssuer;
  let served: Served;
  let variables: Record<string, string>;
  beforeAll(async () => {
    issuer = await createIssuer({ client: CLIENT });
    served = await issuer.listen();
    variables = {
      ZITADEL_ISSUER_URL: issuer.url,
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_CLIENT_ID: CLIENT.id,
      ZITADEL_CLIENT_SECRET: CLIENT.secret,
    };
  });
  afterAll(() => served.close());
  afterEach(() => {
    issuer.faults.clear();
    issuer.extraKeys.length = 0;
  });

  it('are green where a provider serves what it has to', async () => {
    const results = await doctor(variables, ['issuer-discovery', 'keys', 'clock-skew', 'introspection']);
    expect(Object.values(results).map(({ status }) => status)).toEqual(['green', 'green', 'green', 'green']);
  });

  it('issuer-discovery is red for one byte too many, and names what to write', async () => {
    const { status, cause, next } = await found(
      { ...variables, ZITADEL_ISSUER_URL: `${issuer.url}/` },
      'issuer-discovery',
    );
    expect(status).toBe('red');
    expect(cause).toContain('JWT validation failed');
    expect(next).toContain(`ZITADEL_ISSUER_URL=${issuer.url},`);
  });

  it('one issuer that is away hides no other', async () => {
    const { status, cause } = await found(
      { ...variables, KANIDM_ISSUER_URL: 'http://127.0.0.1:1' },
      'issuer-discovery',
    );
    expect(status).toBe('red');
    expect(cause).toContain('http://127.0.0.1:1');
    expect(cause).not.toContain(issuer.url);
  });

  it('keys is red where no published key may verify, and yellow where one of several may not', async () => {
    issuer.extraKeys.push({ kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'weak', use: 'sig' });
    expect(await found(variables, 'keys')).toMatchObject({
      status: 'yellow',
      cause: containing('weak'),
    });
    issuer.removeKey('key-1');
    expect(await found(variables, 'keys')).toMatchObject({
      status: 'red',
      cause: containing('no key'),
    });
    await issuer.addKey('key-1');
  });

  it('introspection is red where the provider refuses the client, without its secret', async () => {
    const wrong = { ...variables, ZITADEL_CLIENT_SECRET: 'another-secret-text' };
    const { status, cause } = await found(wrong, 'introspection');
    expect([status, cause]).toEqual(['red', containing('ZITADEL_CLIENT_SECRET')]);
    expect(cause).not.toContain('another-secret-text');
  });

  it('introspection is not skipped for a variable of another issuer that is missing', async () => {
    const half = { ...variables, KANIDM_ISSUER_URL: 'http://127.0.0.1:1' };
    expect(await found(half, 'introspection')).toMatchObject({
      status: 'yellow',
      cause: containing('KANIDM_AUDIENCE is missing'),
      next: containing('--only configuration'),
    });
  });

  it('introspection accuses no client where discovery is refused', async () => {
    const closed = await serve(0, async () => new Response('', { status: 401 }));
    try {
      expect(await found({ ...variables, ZITADEL_ISSUER_URL: closed.url }, 'introspection')).toMatchObject({
        status: 'red',
        cause: expect.not.stringContaining('ZITADEL_CLIENT_SECRET') as unknown,
        next: containing('--only issuer-discovery'),
      });
    } finally {
      await closed.close();
    }
  });

  it('clock-skew is red where the clocks are ten seconds apart, either way', async () => {
    for (const seconds of [10, -10]) {
      const skewed = await serve(0, async () =>
        Response.json({}, { headers: { date: new Date(Date.now() + seconds * 1_000).toUTCString() } }),
      );
      try {
        const { status, cause } = await found({ ZITADEL_ISSUER_URL: skewed.url }, 'clock-skew');
        expect([status, cause]).toEqual(['red', containing(seconds > 0 ? 'ahead' : 'behind')]);
      } finally {
        await skewed.close();
      }
    }
  });
});
