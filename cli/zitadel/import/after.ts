import { instanceMembers, machines } from '../../../shared/zitadel/accounts.ts';
import { patsOf } from '../../../shared/zitadel/credentials.ts';
import { instanceOf, loginV2Of } from '../../../shared/zitadel/instance.ts';
import { pause } from '../../../shared/ports/runtime.ts';
import { exchange } from '../../deps.ts';
import { Failure } from '../../failure.ts';
import { note } from '../../terminal.ts';
import { Refused, type ZitadelClient } from '../api/client.ts';
import { restart, scaleUp } from './cluster.ts';
import { clientFor, type Run, type ZitadelAccess } from './run.ts';

type Result = Readonly<Record<string, unknown>>;

const LOOK_MS = 500;
const CALL_MS = 10_000;
const NOT_FOUND = 404;
const NO_TOKEN = 'skipped: ZITADEL_SERVICE_TOKEN is not set';

/**
 * Waits for 401 of an admin route: /debug/ready says ok up to a second before the routes answer. Throws Failure when it does not come in time.
 */
export async function ready({ api, facts, waitMs, signal }: Run): Promise<Result> {
  const { url } = known(api);
  const until = Date.now() + waitMs;
  if (facts.to === 'postgres') note(`  start Zitadel now, if it is not running: waiting for ${url}`);
  for (;;) {
    const answer = await asked(url, '/admin/v1/instances/me');
    if (answer === 401) return { says: `${url} answers` };
    if (Date.now() > until)
      throw new Failure(
        `${url} does not answer as Zitadel does (${answer === null ? 'no answer' : `status ${answer}`}): ${answer === NOT_FOUND ? 'is its host a domain of the instance?' : 'look at its log'}`,
      );
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

/** The status; null without an answer. */
async function asked(url: string, path: string): Promise<number | null> {
  try {
    const { status } = await exchange({ method: 'GET', url: url + path, headers: {}, timeoutMs: CALL_MS });
    return status;
  } catch {
    return null;
  }
}

function known(api: ZitadelAccess | null): ZitadelAccess {
  if (api === null) throw new Failure('ZITADEL_API_URL is missing: the base of Zitadel’s API');
  return api;
}

function clientOf(run: Run): ZitadelClient | undefined {
  const { url, token } = known(run.api);
  return token === null ? undefined : clientFor({ url, token });
}

/** Whether the service account's token is one of the imported database. Personal access tokens of the dump go on working. */
export async function tokens(run: Run): Promise<Result> {
  const client = clientOf(run);
  if (client === undefined) return { says: NO_TOKEN };
  const instance = await instanceOf(client).catch((error: unknown) => {
    throw foreignToken(error);
  });
  const accounts = await machines(client);
  const now = Date.now();
  let [valid, expired] = [0, 0];
  for (const { userId, details } of accounts)
    for (const { expires } of await patsOf(client, { id: userId, organization: details.resourceOwner }))
      if (expires !== null && expires.getTime() <= now) expired += 1;
      else valid += 1;
  const members = await instanceMembers(client);
  const login = members.filter(({ roles }) => roles.includes('IAM_LOGIN_CLIENT')).length;
  const lacking = login === 0 ? '; no account has IAM_LOGIN_CLIENT, which Login v2 needs' : '';
  return {
    says: `${instance.name}: ZITADEL_SERVICE_TOKEN works; ${accounts.length} service accounts with ${valid} tokens that are valid and ${expired} expired${lacking}`,
    ...{ accounts: accounts.length, valid, expired, login_clients: login },
  };
}

function foreignToken(error: unknown): unknown {
  if (!(error instanceof Refused) || error.status !== 401) return error;
  return new Failure(
    `${error.message}. After an import the tokens of the dump are the ones that work: set ZITADEL_SERVICE_TOKEN to one of the Zitadel that the dump is of`,
    { cause: error },
  );
}

/** Login v2 where it is required: its page has to answer. */
export async function loginV2(run: Run): Promise<Result> {
  await scaleUp(run, run.facts.login);
  const { journal, facts } = run;
  const isRenewed = journal.find('secrets', 'done')?.['renewed'] === true;
  if (isRenewed && journal.find('start', 'done')?.['login_started'] === true) await restart(run, facts.login);
  const client = clientOf(run);
  if (client === undefined) return { says: NO_TOKEN };
  const feature = await loginV2Of(client);
  if (!feature.required)
    return { says: 'Login v2 is not required: the sign-in pages are those of Zitadel itself' };
  const base = (feature.baseUri === '' ? `${client.url}/ui/v2/login` : feature.baseUri).replace(/\/$/, '');
  const status = await asked(base, '/loginname');
  const where = feature.baseUri === '' ? `${base}, as no other is set` : base;
  if (status !== null && (status < 400 || status === 429))
    return { says: `Login v2 is required, and answers at ${where}` };
  const warning = `Login v2 is required, and does not answer at ${where} (${status === null ? 'no answer' : `status ${status}`}): start it, or set its address (instance feature loginV2)`;
  note(`  warning: ${warning}`);
  return { says: warning, warning: true };
}
