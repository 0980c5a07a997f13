import { describe, expect, it } from 'vitest';
import { misspelled, nearestVariable } from '../../shared/configuration/names.ts';
import { parseEnvironment } from '../../functions/configuration.ts';
import { VARIABLES } from '../../functions/catalogue.ts';
import { USABLE } from './env-usable.ts';

describe('a misspelled variable is named with the one that is meant', () => {
  it.each([
    ['ZITADEL_AUDIENCES', 'ZITADEL_AUDIENCE'],
    ['ZITADEL_AUDIANCE', 'ZITADEL_AUDIENCE'],
    ['ZITADEL_ISSUER', 'ZITADEL_ISSUER_URL'],
    ['ZITADEL_ISSUER_URI', 'ZITADEL_ISSUER_URL'],
    ['ZITADEL-ISSUER-URL', 'ZITADEL_ISSUER_URL'],
    ['ALLOWED_ORIGIN', 'ALLOWED_ORIGINS'],
    ['ALLOWED_ORGIINS', 'ALLOWED_ORIGINS'],
    ['OPENFGA_STOREID', 'OPENFGA_STORE_ID'],
    ['OPENFGA_STORE', 'OPENFGA_STORE_ID'],
    ['OPEN_FGA_URL', 'OPENFGA_URL'],
    ['UPSTREAM_TIMEOUT', 'UPSTREAM_TIMEOUT_MS'],
    ['TRUSTED_PROXY', 'TRUSTED_PROXIES'],
    ['TRUSTED_PROXYS', 'TRUSTED_PROXIES'],
    ['REDIS_URI', 'REDIS_URL'],
    ['upstream_url', 'UPSTREAM_URL'],
    ['SALLYPORT_UPSTREAM_URL', 'UPSTREAM_URL'],
    ['WEBHOOK_SIGNING_KEY', 'WEBHOOK_SIGNING_KEYS'],
    ['ASSERTION_KEY', 'ASSERTION_KEYS'],
    ['TARGET_BILLING_URI', 'TARGET_BILLING_URL'],
    ['TARGET_MY-BILLING_URL', 'TARGET_MY_BILLING_URL'],
    ['target_billing_url', 'TARGET_BILLING_URL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['ISSUER_URL', 'ISSUER_<NAME>_URL'],
    ['ISSUER_AUDIENCE', 'ISSUER_<NAME>_AUDIENCE'],
    ['ISSUER_CLIENT_ID', 'ISSUER_<NAME>_CLIENT_ID'],
    ['ISSUER_CLIENT_SECRET', 'ISSUER_<NAME>_CLIENT_SECRET'],
    ['ISSUER_A_CLIENTID', 'ISSUER_A_CLIENT_ID'],
    ['ISSUER_A_CLIENTSECRET', 'ISSUER_A_CLIENT_SECRET'],
    ['ISSUER_A_SECRET', 'ISSUER_A_CLIENT_SECRET'],
    ['ISSUER_A_B_AUDIENCES', 'ISSUER_A_B_AUDIENCE'],
    ['ISSUER_A_AUD', 'ISSUER_A_AUDIENCE'],
    ['ISSUER_A_URI', 'ISSUER_A_URL'],
    ['ISSUERS_A_URL', 'ISSUER_A_URL'],
    ['ISSUER-A-URL', 'ISSUER_A_URL'],
    ['issuer_a_url', 'ISSUER_A_URL'],
  ])('%s: %s', (written, meant) => {
    expect(nearestVariable(written, VARIABLES)).toBe(meant);
  });
});

describe('no alarm is given for', () => {
  it('our own names, a target of any name among them', () => {
    const own = [...VARIABLES.keys(), 'HYPERDRIVE', 'TARGET_BILLING_URL', 'TARGET_X_URL_URL'];
    own.push('ISSUER_A_URL', 'ISSUER_CLIENT_URL', 'ISSUER_A_CLIENT_ID');
    expect(own.flatMap((name) => nearestVariable(name, VARIABLES) ?? [])).toEqual([]);
  });

  it('what shells, Node, npm, Kubernetes and servers beside the gateway set', () => {
    const unrelated = `PATH HOME USER SHELL LANG LC_ALL TERM PWD OLDPWD SHLVL TZ HOSTNAME HOSTTYPE LOGNAME MAIL EDITOR _
      NODE_ENV NODE_OPTIONS NODE_PATH NO_COLOR FORCE_COLOR CI DEBUG PORTS POST SORT COST GHOST ENV
      npm_config_user_agent npm_package_name npm_lifecycle_event npm_execpath npm_config_loglevel INIT_CWD
      KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT KUBERNETES_PORT KUBERNETES_PORT_443_TCP_ADDR
      REDIS_PORT REDIS_HOST REDIS_SERVICE_HOST REDIS_SERVICE_PORT REDIS_PORT_6379_TCP REDIS_PASSWORD
      SALLYPORT_PORT SALLYPORT_SERVICE_HOST SALLYPORT_SERVICE_PORT UPSTREAM_PORT UPSTREAM_SERVICE_HOST OPENFGA_PORT
      OPENFGA_SERVICE_HOST OPENFGA_DATASTORE_URI OPENFGA_DATASTORE_ENGINE OPENFGA_LOG_LEVEL OPENFGA_HTTP_ADDR
      ZITADEL_PORT ZITADEL_SERVICE_HOST ZITADEL_EXTERNALDOMAIN ZITADEL_MASTERKEY ZITADEL_DATABASE_POSTGRES_HOST
      ZITADEL_FIRSTINSTANCE_ORG_NAME ZITADEL_EXECUTIONS_WORKERS KANIDM_PORT KANIDM_SERVICE_HOST
      POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB PGHOST PGUSER PGPASSWORD DATABASE_HOST DATABASE_USER DATABASE_NAME
      TARGET_ARCH TARGETPLATFORM TARGET_BILLING HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy SSL_CERT_FILE
      CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID CF_PAGES WRANGLER_SEND_METRICS UPSTASH_EMAIL UPSTASH_API_KEY
      GITHUB_TOKEN GITHUB_ACTIONS RUNNER_OS INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID XDG_RUNTIME_DIR
      SSH_AUTH_SOCK DBUS_SESSION_BUS_ADDRESS APP_ENV RAILS_ENV JAVA_HOME GOPATH VIRTUAL_ENV`;
    expect(unrelated.split(/\s+/).flatMap((name) => nearestVariable(name, VARIABLES) ?? [])).toEqual([]);
  });

  it('an empty variable, which is an absent one', () => {
    expect(misspelled({ ZITADEL_AUDIENCES: ' ' }, VARIABLES)).toEqual([]);
  });
});

describe('a configuration', () => {
  it('that can be used warns of the slip, without its value', () => {
    const parsed = parseEnvironment({ ...USABLE, ALLOWED_ORIGIN: 'hush' }, 'node');
    expect(parsed).toMatchObject({
      ok: true,
      warnings: expect.arrayContaining([
        { variable: 'ALLOWED_ORIGIN', problem: 'is not read: is ALLOWED_ORIGINS meant?' },
      ]) as unknown,
    });
    expect(JSON.stringify(parsed)).not.toContain('hush');
  });

  it('that lacks the right variable says so in its fault, and other slips beside it', () => {
    const slips = { ZITADEL_AUDIANCE: 'hush', REDIS_URI: 'hush' };
    const parsed = parseEnvironment({ ...USABLE, ZITADEL_AUDIENCE: '', ...slips }, 'node');
    const faults = parsed.ok ? [] : parsed.faults.map(({ variable, problem }) => `${variable} ${problem}`);
    expect(faults).toEqual([
      expect.stringMatching(
        /^ZITADEL_AUDIENCE is missing: .*; ZITADEL_AUDIANCE is set: is that a slip of the name\?$/,
      ),
      'REDIS_URI is not read: is REDIS_URL meant?',
    ]);
  });

  it('that names no issuer warns of issuer variables without a name', () => {
    const slips = { ISSUER_URL: 'https://id.example.org', ISSUER_AUDIENCE: 'api' };
    expect(parseEnvironment({ ...USABLE, ...slips }, 'node')).toMatchObject({
      ok: true,
      warnings: expect.arrayContaining([
        { variable: 'ISSUER_URL', problem: 'is not read: is ISSUER_<NAME>_URL meant?' },
        { variable: 'ISSUER_AUDIENCE', problem: 'is not read: is ISSUER_<NAME>_AUDIENCE meant?' },
      ]) as unknown,
    });
  });

  it('is told an example of everything that is missing', () => {
    const lacking = [
      {},
      { ...USABLE, ZITADEL_AUDIENCE: '' },
      { ...USABLE, KANIDM_ISSUER_URL: 'https://idm.example.org' },
      { ...USABLE, ZITADEL_ISSUER_URL: '', ZITADEL_CLIENT_ID: 'x' },
      { ...USABLE, ZITADEL_CLIENT_SECRET: 'x' },
      { ...USABLE, UPSTASH_REDIS_REST_URL: 'https://x' },
      { ...USABLE, UPSTASH_REDIS_REST_TOKEN: 'x' },
      { ...USABLE, FEATURE_SYNC: 'start' },
      { ...USABLE, ENVIRONMENT: 'production' },
    ];
    const runtimes = ['node', 'workers'] as const;
    const missing = lacking
      .flatMap((raw) => runtimes.map((runtime) => parseEnvironment(raw, runtime)))
      .flatMap((parsed) => (parsed.ok ? [] : parsed.faults))
      .filter(({ problem }) => problem.startsWith('is missing'));
    expect(new Set(missing.map(({ variable }) => variable)).size).toBeGreaterThan(12);
    for (const { variable, problem } of missing) expect(problem).toContain(`, as in ${variable}=`);
  });
});
