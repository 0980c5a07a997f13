import { afterAll, expect, it } from 'vitest';
import { createIssuer } from '../support/issuer.ts';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite } from '../support/suite.ts';

const corp = await createIssuer();
const served = await corp.listen();
// As Auth0 writes it: the slash counts.
const CORP_URL = `${corp.url}/`;
corp.metadata['issuer'] = CORP_URL;
afterAll(() => served.close());

gatewaySuite(
  'an issuer of any other name',
  { variables: () => ({ ISSUER_CORP_URL: ` ${CORP_URL}\n`, ISSUER_CORP_AUDIENCE: 'reports, api\n' }) },
  (stage) => {
    const ask = async (path: string, claims: Record<string, unknown>) => {
      const token = await corp.sign({ iss: CORP_URL, ...claims });
      return stage.gateway.fetch(path, { headers: { authorization: `Bearer ${token}` } });
    };

    it('is trusted beside Zitadel, and its people are its own', async () => {
      expect((await ask('/me', { aud: 'reports', sub: 'bob' })).status).toBe(200);
      expect(stage.upstream.requests[0]?.values('x-user-issuer')).toEqual([CORP_URL]);
      // bob of Zitadel holds this relation.
      await expectStopped(ask('/admin/x', { sub: 'bob' }), 'forbidden', stage.upstream);
    });

    it.each<[string, Record<string, unknown>]>([
      ['for another audience', { aud: 'other' }],
      ['of an issuer that differs by a slash', { iss: corp.url }],
      ["in Zitadel's name", { iss: undefined }],
      ['that is an ID token', { at_hash: 'x' }],
    ])('and a token %s is refused', async (_how, claims) => {
      const iss = 'iss' in claims ? (claims['iss'] ?? stage.issuer.url) : CORP_URL;
      await expectStopped(ask('/me', { ...claims, iss }), 'invalid_token', stage.upstream);
    });

    it('has its keys in /ready under its name', async () => {
      expect(await (await stage.gateway.fetch('/ready')).json()).toMatchObject({
        dependencies: { keys_corp: { up: true, state: 'fresh' }, keys_zitadel: { up: true } },
      });
    });
  },
);
