import { ZITADEL_ACCOUNT } from '../../shared/configuration/operations.ts';
import { LOOPBACK } from '../../shared/configuration/sessions.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { judgeTokens } from '../../shared/checks/expiry.ts';
import { methodsOf, ownUser, rightsByUser, usersOf } from '../../shared/zitadel/accounts.ts';
import { allPats } from '../../shared/zitadel/credentials.ts';
import { instanceOf } from '../../shared/zitadel/instance.ts';
import { forcesMfa, instanceLoginPolicy } from '../../shared/zitadel/login-policy.ts';
import { readsOnce, ZitadelFault } from '../../shared/zitadel/once.ts';
import type { ZitadelReader } from '../../shared/zitadel/reader.ts';
import { openZitadel } from '../deps.ts';
import { partOf, type DoctorGround } from './ground.ts';

/** The service account's view. Throws NotSetUp without its token. */
export function serviceAccount(): ZitadelReader & { readonly host: string | null } {
  const { zitadelUrl: url, zitadelToken: token, externalDomain } = partOf(ZITADEL_ACCOUNT);
  if (url === null) throw new NotSetUp('Zitadel is not configured (ZITADEL_API_URL, ZITADEL_ISSUER_URL)');
  if (token === null)
    throw new NotSetUp(
      'Zitadel is not looked into (ZITADEL_SERVICE_TOKEN is not set)',
      'sallyport zitadel setup',
    );
  return { ...readsOnce({ url, api: openZitadel({ url, token }) }), host: externalDomain };
}

/** A token that is refused makes none: it takes another one that still counts. */
const NEW_TOKEN =
  'with a token of an IAM_OWNER: sallyport zitadel setup --renew ZITADEL_SERVICE_TOKEN --out FILE';

/** Zitadel's refusals by what an operator does about them. `right`: what the call needs. */
export function zitadelFault(
  { message, status, id }: ZitadelFault,
  variable: string,
  right: string,
): Finding {
  if (id === 'CRYPT-OhN2u')
    return red(
      `${message}: Zitadel runs with another masterkey than its database was made with`,
      'start Zitadel with the masterkey of this database',
    );
  if (status === 401)
    return red(
      `${variable} is refused, ${message}: it ran out or was removed, or its account was deactivated or locked, which ends tokens for good`,
      variable === 'ZITADEL_SERVICE_TOKEN'
        ? NEW_TOKEN
        : `docs/provisioning.md: make its account a new token for ${variable}`,
    );
  if (status === 403 || (status === 404 && id !== ''))
    return red(
      `${variable} lacks a right, ${message} (permission denied): it needs ${right}`,
      `give its account ${right}: sallyport zitadel setup`,
    );
  if (status === 503)
    return red(`${message}: Zitadel is starting, or its database is away`, "look at Zitadel's log");
  if (status === undefined) return red(message, 'let ZITADEL_API_URL lead to Zitadel itself');
  return red(message);
}

/** A token that is refused and a Zitadel that is away are the finding of `zitadel-token`: others only cannot tell. */
export async function unlessUnread(work: Promise<Finding>, right = 'IAM_OWNER_VIEWER'): Promise<Finding> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ZitadelFault)) throw error;
    const next =
      error.status === 403
        ? `give the account of ZITADEL_SERVICE_TOKEN ${right}`
        : 'sallyport doctor --only zitadel-token';
    return yellow(`not known: ${error.message}`, next);
  }
}

async function refusalOf(work: Promise<unknown>, variable: string, right: string): Promise<Finding> {
  try {
    await work;
    return green('Zitadel takes the tokens of our service accounts');
  } catch (error) {
    if (error instanceof ZitadelFault) return zitadelFault(error, variable, right);
    throw error;
  }
}

/** AUTH-7fs1e is what a token that is none any more is answered with. */
export async function zitadelToken(): Promise<Finding> {
  const { zitadelUrl: url, zitadelToken: service } = partOf(ZITADEL_ACCOUNT);
  const { directory } = partOf(MIGRATION).migration;
  const provisioning = directory?.provider === 'zitadel' ? directory.token : null;
  if (url === null || (service === null && provisioning === null))
    throw new NotSetUp(
      'no service account is used (ZITADEL_SERVICE_TOKEN is not set)',
      'sallyport zitadel setup',
    );
  const looks = [
    ...(service === null
      ? []
      : [
          refusalOf(
            instanceOf(readsOnce({ url, api: openZitadel({ url, token: service }) })),
            'ZITADEL_SERVICE_TOKEN',
            'IAM_OWNER_VIEWER',
          ),
        ]),
    ...(provisioning === null || directory === null
      ? []
      : [
          refusalOf(
            ownUser(
              readsOnce({
                url: directory.url,
                api: openZitadel({ url: directory.url, token: provisioning }),
              }),
            ),
            'ZITADEL_PROVISIONING_TOKEN',
            'the rights of docs/provisioning.md',
          ),
        ]),
  ];
  return worst(await Promise.all(looks), '');
}

export function zitadelInstance(): Promise<Finding> {
  const api = serviceAccount();
  return unlessUnread(sameInstance(api, api.host));
}

const SAME_INSTANCE =
  'let ZITADEL_ISSUER_URL and ZITADEL_API_URL name the same instance; `sallyport zitadel login-names explain INPUT` finds a person';

async function sameInstance(api: ZitadelReader, host: string | null): Promise<Finding> {
  try {
    const { id, domains } = await instanceOf(api);
    const names = domains.map(({ domain }) => domain);
    if (host === null || LOOPBACK.test(host) || names.length === 0 || names.includes(host))
      return green(`instance ${id} answers at ${host ?? api.url}`);
    return red(
      `instance ${id} has the domains ${names.join(', ')} and not ${host}: people of another instance are "user not found" here`,
      SAME_INSTANCE,
    );
  } catch (error) {
    // How Zitadel answers a host that is a domain of none.
    if (!(error instanceof ZitadelFault) || error.status !== 404 || !/instance/i.test(error.message))
      throw error;
    return red(`no instance has this domain: ${error.message}`, SAME_INSTANCE);
  }
}

export function patAge(ground: DoctorGround): Promise<Finding> {
  const api = serviceAccount();
  return unlessUnread(allPats(api).then((tokens) => judgeTokens(tokens, ground.clock.now())));
}

/** Of ListAuthenticationMethodTypes: what is more than a password or another provider's word. */
const SECOND_FACTOR = /PASSKEY|TOTP|U2F|OTP_SMS|OTP_EMAIL/;
const AT_ONCE = 10;

export function adminMfa(): Promise<Finding> {
  const api = serviceAccount();
  return unlessUnread(mfaOf(api));
}

async function mfaOf(api: ZitadelReader): Promise<Finding> {
  const { byUser } = await rightsByUser(api);
  const people = (await usersOf(api, [...byUser.keys()])).filter(
    ({ human, state }) => human !== undefined && !/INACTIVE|DELETED/.test(state),
  );
  const without: string[] = [];
  for (let at = 0; at < people.length; at += AT_ONCE)
    await Promise.all(
      people.slice(at, at + AT_ONCE).map(async ({ userId, username, preferredLoginName }) => {
        const methods = await methodsOf(api, userId);
        if (!methods.some((method) => SECOND_FACTOR.test(method)))
          without.push(preferredLoginName || username);
      }),
    );
  if (without.length === 0)
    return green(`all ${people.length} people who administer Zitadel have a second factor`);
  without.sort();
  const who = `${without.slice(0, 5).join(', ')}${without.length > 5 ? ` and ${without.length - 5} more` : ''}`;
  return forcesMfa(await instanceLoginPolicy(api))
    ? green(`a second factor is demanded at the next sign-in of ${who}`)
    : red(
        `without a second factor: ${who}`,
        'let them add one, and force it in the login policy: sallyport zitadel setup',
      );
}
