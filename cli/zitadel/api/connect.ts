import { OPERATIONS, type Operations } from '../../../shared/configuration/operations.ts';
import { openZitadel } from '../../deps.ts';
import { needed } from '../../operations.ts';
import { configured } from '../../variables.ts';
import { zitadelClient, type ZitadelClient } from './client.ts';

/** The least role that a command's account must have. */
export type NeededRole = 'IAM_OWNER' | 'IAM_OWNER_VIEWER';

/** The API behind ZITADEL_API_URL, with ZITADEL_SERVICE_TOKEN. Throws Failure with every missing variable. */
export function connected(role: NeededRole, config: Operations = configured(OPERATIONS)): ZitadelClient {
  const url = needed(
    config.zitadelUrl,
    'ZITADEL_API_URL',
    'the base of Zitadel’s API, or ZITADEL_ISSUER_URL',
  );
  const token = needed(
    config.zitadelToken,
    'ZITADEL_SERVICE_TOKEN',
    `a personal access token of a service account with ${role}`,
  );
  return zitadelClient({ url, token, api: openZitadel({ url, token }) });
}
