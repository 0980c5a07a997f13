import { startKanidm } from '../../dev/kanidm/index.ts';
import type { KanidmDirectoryConfig } from '../../shared/configuration/providers.ts';
import { directoryContract } from './directory.contract.ts';
import { openDirectory, signsInAtKanidm, withoutRights } from './directory-support.ts';

for (const mode of ['local', 'sync'] as const) {
  directoryContract(`Kanidm, ${mode} (stand-in)`, async () => {
    const kanidm = await startKanidm();
    const config: KanidmDirectoryConfig = {
      provider: 'kanidm',
      issuer: kanidm.issuer('api'),
      url: kanidm.url,
      token: kanidm.token,
      syncToken: mode === 'local' ? null : kanidm.syncs.make('sallyport_sync'),
    };
    return {
      directory: openDirectory(config),
      stranger: openDirectory(withoutRights(config)),
      signsIn: ({ name }, password) => signsInAtKanidm(kanidm.url, name, password),
      close: () => kanidm.close(),
    };
  });
}

/** A real one, whose data the suite adds to: see CONTRIBUTING.md. */
const { KANIDM_URL: url, KANIDM_TOKEN: token, KANIDM_SYNC_TOKEN: syncToken = null } = process.env;
if (url !== undefined && token !== undefined) {
  directoryContract('Kanidm (KANIDM_URL)', () => {
    const issuer = `${new URL(url).origin}/oauth2/openid/sallyport`;
    const config: KanidmDirectoryConfig = { provider: 'kanidm', issuer, url, token, syncToken };
    return Promise.resolve({
      directory: openDirectory(config),
      stranger: openDirectory(withoutRights(config)),
      signsIn: ({ name }, password) => signsInAtKanidm(url, name, password),
      close: () => Promise.resolve(),
    });
  });
}
