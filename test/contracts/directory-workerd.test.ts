import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKanidm } from '../../dev/kanidm/index.ts';
import { startZitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import type { DirectoryConfig } from '../../shared/configuration/providers.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { times } from '../support/scale.ts';
import { startInWorkerd, type InWorkerd } from '../support/in-workerd.ts';
import { directoryContract } from './directory.contract.ts';
import { openDirectory, signsInAtKanidm, signsInAtZitadel, withoutRights } from './directory-support.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('inside workerd', () => {
  let worker: InWorkerd;
  beforeAll(async () => {
    worker = await startInWorkerd(new URL('directory.worker.ts', import.meta.url), { variables: {} });
  });
  afterAll(() => worker.close());

  /** The methods that call the provider, called from inside workerd. */
  const inside = (config: DirectoryConfig): Directory =>
    new Proxy(openDirectory(config), {
      get(own, method: string) {
        if (['traits', 'nameOf', 'refusalOf', 'groupName'].includes(method))
          return Reflect.get(own, method) as unknown;
        return async (...args: unknown[]): Promise<unknown> => {
          const body = JSON.stringify({ config, method, args });
          const answer = await worker.fetch('http://directory.test/', { method: 'POST', body });
          const { result } = JSON.parse(await answer.text(), (_key, value: unknown) =>
            typeof value === 'string' && TIME.test(value) ? new Date(value) : value,
          ) as { result: unknown };
          return result;
        };
      },
    });

  for (const mode of (['local', 'sync'] as const).slice(0, times(2, 1))) {
    directoryContract(`Kanidm, ${mode} (stand-in), in workerd`, async () => {
      const kanidm = await startKanidm();
      const config = {
        ...({ provider: 'kanidm', url: kanidm.url, token: kanidm.token } as const),
        issuer: kanidm.issuer('api'),
        syncToken: mode === 'local' ? null : kanidm.syncs.make('sallyport_sync'),
      };
      return {
        directory: inside(config),
        stranger: inside(withoutRights(config)),
        signsIn: ({ name }, password) => signsInAtKanidm(kanidm.url, name, password),
        close: () => kanidm.close(),
      };
    });
  }

  directoryContract('Zitadel, roles (stand-in), in workerd', async () => {
    const zitadel = await startZitadel();
    const { url, token } = zitadel;
    const projectId = zitadel.grants.createProject(ORGANIZATION, 'api');
    const config = {
      ...({ provider: 'zitadel', tenancy: 'roles', issuer: url, url, token } as const),
      ...{ organization: ORGANIZATION, projectId },
    };
    return {
      directory: inside(config),
      stranger: inside(withoutRights(config)),
      signsIn: ({ id }, password) => signsInAtZitadel(config, id, password),
      close: () => zitadel.close(),
    };
  });

  it('a provider that is not there is away, or was perhaps reached: never a success', async () => {
    const nobody = 'http://127.0.0.1:1';
    const config = { provider: 'kanidm', issuer: nobody, url: nobody, token: 't', syncToken: null } as const;
    const id = '018f3a5e-7c1a-7b3c-8d2e-1f2a3b4c5d6e';
    expect((await inside(config).find([id])).outcome).toBe('away');
    const tenant = { id, slug: 'acme' };
    const person = { id, mail: 'a@example.org', mailVerified: true, displayName: 'A', tenant };
    const [created] = await inside(config).create([person]);
    expect(['away', 'slow']).toContain(created?.outcome);
  });
});
