import { describe, expect, it } from 'vitest';
import { applicationsOf } from '../../cli/zitadel/api/applications.ts';
import { zitadelClient, type ZitadelClient } from '../../cli/zitadel/api/client.ts';
import { emailProviders } from '../../cli/zitadel/api/email.ts';
import { identityProviders } from '../../cli/zitadel/api/identity-providers.ts';
import { organizationNamed, ownOrganization } from '../../cli/zitadel/api/organizations.ts';
import { projectsOf } from '../../cli/zitadel/api/projects.ts';
import { executionsOf, targetsOf } from '../../shared/zitadel/actions.ts';
import { machines } from '../../shared/zitadel/accounts.ts';
import { patsOf } from '../../shared/zitadel/credentials.ts';
import { instanceOf, loginV2Of } from '../../shared/zitadel/instance.ts';
import { instanceLoginPolicy } from '../../shared/zitadel/login-policy.ts';
import { recorded, recordingsMissing } from '../contracts/recordings.ts';

const FILES = ['01-actions-v2', '02-tokens', '07-setup'].map((name) => `zitadel/${name}.jsonl`);

/** A client of a server that gives the last recorded answer of status 200 to a call. */
function replayed(): ZitadelClient {
  const exchanges = FILES.flatMap((file) => recorded(file)).filter(
    ({ response }) => response?.status === 200,
  );
  return zitadelClient({
    ...{ url: 'http://localhost:8390', token: 't' },
    api: ({ method, path }) => {
      const found = exchanges.findLast(
        ({ request }) => request?.method === method && request.path.split('?')[0] === path,
      );
      if (found === undefined) throw new Error(`${method} ${path} is not recorded`);
      return Promise.resolve({ outcome: 'ok', body: found.response?.body });
    },
  });
}

describe.skipIf(recordingsMissing)('what a recorded Zitadel answered (needs ../shared/recordings)', () => {
  const client = recordingsMissing ? undefined! : replayed();

  it('is read, with every entry of its lists', async () => {
    const { domains, version } = await instanceOf(client);
    expect(domains.filter(({ primary }) => primary)).toMatchObject([{ domain: 'localhost' }]);
    expect(version).toMatch(/^4/);
    expect(await ownOrganization(client)).toMatchObject({
      name: 'GadgetBot',
      primaryDomain: 'gadgetbot.localhost',
    });
    expect(await organizationNamed(client, 'Acme a')).toMatchObject({ state: 'ORGANIZATION_STATE_ACTIVE' });
    expect(await projectsOf(client, '1')).toMatchObject([{ name: 'api', projectRoleAssertion: true }]);
    expect(await emailProviders(client)).toHaveLength(3);
    expect((await identityProviders(client)).map(({ type }) => type)).toEqual([
      ...['PROVIDER_TYPE_GOOGLE', 'PROVIDER_TYPE_GOOGLE'],
      ...['PROVIDER_TYPE_AZURE_AD', 'PROVIDER_TYPE_AZURE_AD', 'PROVIDER_TYPE_AZURE_AD'],
    ]);
    expect((await targetsOf(client)).filter(({ restAsync }) => restAsync !== undefined)).toHaveLength(2);
    expect((await executionsOf(client)).map(({ targets }) => targets.length)).toEqual([2, 2]);
    expect(await loginV2Of(client)).toMatchObject({ required: true });
    expect((await machines(client)).length).toBeGreaterThan(0);
  });

  it('has what it leaves out as false, empty, or the first of an enumeration', async () => {
    const applications = await applicationsOf(client, { organization: '1', project: '401534900127140902' });
    expect(applications.map(({ apiConfig }) => apiConfig?.authMethodType)).toEqual([
      ...['API_AUTH_METHOD_TYPE_BASIC', 'API_AUTH_METHOD_TYPE_BASIC'],
    ]);
    const { settings, secondFactors, inherited } = await instanceLoginPolicy(client);
    expect(settings).toMatchObject({ passwordCheckLifetime: '864000s', forceMfa: true });
    expect(settings).not.toHaveProperty('details');
    expect([secondFactors.length, inherited]).toEqual([2, true]);
    const [pat] = await patsOf(client, { id: '401534526716644390', organization: '1' });
    expect(pat?.created).toBeInstanceOf(Date);
    expect(pat?.expires?.getUTCFullYear()).toBe(2099);
  });
});
