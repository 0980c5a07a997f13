import { startZitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import type { ZitadelDirectoryConfig } from '../../shared/configuration/providers.ts';
import { directoryContract, type DirectoryStage } from './directory.contract.ts';
import { openDirectory, signsInAtZitadel, withoutRights } from './directory-support.ts';

function stageOf(config: ZitadelDirectoryConfig, close: () => Promise<void>): DirectoryStage {
  return {
    directory: openDirectory(config),
    stranger: openDirectory(withoutRights(config)),
    signsIn: ({ id }, password) => signsInAtZitadel(config, id, password),
    close,
  };
}

for (const tenancy of ['organisations', 'roles'] as const) {
  directoryContract(`Zitadel, ${tenancy} (stand-in)`, async () => {
    const zitadel = await startZitadel();
    const config = {
      provider: 'zitadel',
      issuer: zitadel.url,
      url: zitadel.url,
      token: zitadel.token,
      tenancy,
      organization: ORGANIZATION,
      projectId: zitadel.grants.createProject(ORGANIZATION, 'api'),
    } as const;
    return stageOf(config, () => zitadel.close());
  });
}

/** A real one, whose data the suite adds to: see CONTRIBUTING.md. What it lists is projected from what was written. */
const LAG_MS = 5_000;
const {
  ZITADEL_API_URL: url,
  ZITADEL_PROVISIONING_TOKEN: token,
  ZITADEL_TENANCY: tenancy,
  ZITADEL_ORGANIZATION: organization = null,
  ZITADEL_PROJECT_ID: projectId = null,
} = process.env;
if (url !== undefined && token !== undefined) {
  directoryContract('Zitadel (ZITADEL_API_URL)', () =>
    Promise.resolve({
      ...stageOf(
        {
          provider: 'zitadel',
          issuer: url,
          url,
          token,
          tenancy: tenancy === 'roles' ? 'roles' : 'organisations',
          organization,
          projectId,
        },
        () => Promise.resolve(),
      ),
      lagMs: LAG_MS,
    }),
  );
}
