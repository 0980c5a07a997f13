import { describe, expect, it } from 'vitest';
import {
  applicationsOf,
  createOidcApplication,
  renewClientSecret,
} from '../../cli/zitadel/api/applications.ts';
import { zitadelClient } from '../../cli/zitadel/api/client.ts';
import { projectsOf, updateProject } from '../../cli/zitadel/api/projects.ts';
import type { ZitadelAnswer, ZitadelCall } from '../../shared/ports/zitadel-api.ts';

const UNKNOWN: ZitadelAnswer = {
  ...{ outcome: 'refused', status: 404, id: '', reason: 'status 404: Not Found' },
  unknownRoute: true,
};

describe('a release without the management API', () => {
  const place = { organization: '1', project: '2' };

  /** Answers of Connect by the method; the management API is not there. */
  function connected(answers: Readonly<Record<string, unknown>>) {
    const calls: ZitadelCall[] = [];
    const client = zitadelClient({
      ...{ url: 'https://auth.example.org', token: 't' },
      api: (call) => {
        calls.push(call);
        const body = answers[call.path.split('/').at(-1) ?? ''];
        const known = call.path.startsWith('/zitadel.') && body !== undefined;
        return Promise.resolve(known ? { outcome: 'ok', body } : UNKNOWN);
      },
    });
    return { client, calls };
  }

  it('is asked by Connect for applications, with the names of members there', async () => {
    const { client, calls } = connected({
      ListApplications: {
        applications: [
          { applicationId: '7', name: 'web', oidcConfiguration: { clientId: '8', developmentMode: true } },
          { applicationId: '9', name: 'api', apiConfiguration: { clientId: '10' } },
        ],
      },
      CreateApplication: { applicationId: '11', oidcConfiguration: { clientId: '12', clientSecret: 's' } },
      GenerateClientSecret: { clientSecret: 'new' },
    });
    const [web, api] = await applicationsOf(client, place);
    expect([web?.oidcConfig?.devMode, web?.oidcConfig?.clientId, api?.apiConfig?.clientId]).toEqual([
      true,
      '8',
      '10',
    ]);
    const made = await createOidcApplication(client, place, 'web2', {
      appType: 'OIDC_APP_TYPE_WEB',
      devMode: false,
    });
    expect(made).toEqual({ appId: '11', clientId: '12', clientSecret: 's' });
    expect(calls.at(-1)?.body).toEqual({
      ...{ projectId: '2', name: 'web2' },
      oidcConfiguration: { applicationType: 'OIDC_APP_TYPE_WEB', developmentMode: false },
    });
    expect(await renewClientSecret(client, place, { id: '7', kind: 'oidc' })).toBe('new');
  });

  it('is asked by Connect for projects, with the names of members there', async () => {
    const { client, calls } = connected({
      ListProjects: {
        projects: [
          { projectId: '2', organizationId: '1', name: 'own', authorizationRequired: true },
          { projectId: '3', organizationId: '4', name: 'granted' },
        ],
      },
      UpdateProject: {},
    });
    const found = await projectsOf(client, '1');
    expect(found.map(({ id, name, projectRoleCheck }) => [id, name, projectRoleCheck])).toEqual([
      ['2', 'own', true],
    ]);
    const settings = { projectRoleAssertion: true, projectRoleCheck: true, hasProjectCheck: false };
    await updateProject(client, place, 'own', { ...settings, privateLabelingSetting: 'X' });
    expect(calls.at(-1)?.body).toMatchObject({ authorizationRequired: true, projectAccessRequired: false });
  });
});
