import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import { startOidc, type OidcServer } from '../../../dev/oidc/index.ts';
import { startZitadel, type Zitadel } from '../../../dev/zitadel/index.ts';
import { directoryOf } from '../../../dev/zitadel/sign-in.ts';
import { ORGANIZATION } from '../../../dev/zitadel/users.ts';
import type { Directory } from '../../../shared/ports/directory.ts';
import { openDirectory } from '../../contracts/directory-support.ts';
import { PASSWORD } from '../people.ts';
import { PUBLIC_URL } from '../suite.ts';

const CLIENT = 'sallyport-web';
/** At a cost that Zitadel takes. */
export const HASH = hashSync(PASSWORD, 10);

/** A stand-in of Zitadel, and an OpenID provider over its people with a web client for the gateway. */
export interface WithZitadel {
  readonly zitadel: Zitadel;
  readonly oidc: OidcServer;
  readonly directory: Directory;
  /** Of the client. */
  readonly secret: string;
  /** Of a gateway that signs in by that client. */
  readonly variables: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** `backchannelLogoutUri`: where ends of sessions are announced to the client. */
export async function startWithZitadel(backchannelLogoutUri?: string): Promise<WithZitadel> {
  const secret = randomUUID();
  const zitadel = await startZitadel();
  const { url, token } = zitadel;
  const projectId = zitadel.grants.createProject(ORGANIZATION, 'api');
  const oidc = await startOidc({
    directory: directoryOf(zitadel),
    webClient: {
      ...{ id: CLIENT, secret, projectId },
      redirectUris: [`${PUBLIC_URL}/api/v1/auth/oauth/callback/zitadel`],
      ...(backchannelLogoutUri !== undefined && { backchannelLogoutUri }),
    },
  });
  const where = { issuer: oidc.url, url, token, organization: ORGANIZATION, projectId } as const;
  return {
    zitadel,
    oidc,
    directory: openDirectory({ provider: 'zitadel', tenancy: 'organisations', ...where }),
    secret,
    variables: {
      MIGRATION_PROVIDER: 'zitadel',
      ZITADEL_ISSUER_URL: oidc.url,
      ZITADEL_AUDIENCE: oidc.audience,
      ZITADEL_API_URL: url,
      ZITADEL_ORGANIZATION: ORGANIZATION,
      ZITADEL_PROJECT_ID: projectId,
      ZITADEL_OAUTH_CLIENT_ID: CLIENT,
      ZITADEL_OAUTH_CLIENT_SECRET: secret,
    },
    async close() {
      await oidc.close();
      await zitadel.close();
    },
  };
}
