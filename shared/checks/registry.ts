import { REQUESTS, type Described } from './requests.ts';

/** What else a deployment needs, and what people sign in by. */
const SETUP = {
  'misspelled-variables': {
    needs: 'nothing',
    green: 'no variable is set whose name looks like a slip of one that is read',
    cause: 'a name with a letter too few: its value has no effect',
    next: 'docs/reference/variables.md has every name',
  },
  'issuer-discovery': {
    needs: 'an issuer (ZITADEL_ISSUER_URL, KANIDM_ISSUER_URL, ISSUER_<NAME>_URL)',
    green: 'each discovery document names its issuer byte for byte as the variable does',
    cause: 'a slash or a port too many: then every JWT is refused (JWT validation failed)',
    next: 'write the issuer as its discovery document names it',
  },
  'clock-skew': {
    needs: 'an issuer',
    green: 'this clock and that of each provider are less than two seconds apart',
    cause: 'no time synchronisation on one of the two machines: tokens are not valid yet, or expire early',
    next: 'timedatectl, and `chronyc tracking` where chrony runs',
  },
  introspection: {
    needs: 'ZITADEL_CLIENT_ID and ZITADEL_CLIENT_SECRET, or those of ISSUER_<NAME>',
    green: 'the provider takes the client, and calls an invented token inactive',
    cause: 'the client secret was made anew, or the client was removed: opaque tokens are then 503',
    next: 'sallyport zitadel setup --dry-run',
  },
  'openfga-model': {
    needs: 'OPENFGA_URL, OPENFGA_STORE_ID',
    green:
      'the store has a model, the one that OPENFGA_MODEL_ID pins or the latest, and it is that of the model file',
    cause: 'the store is empty, or the pinned model is not in it',
    next: 'sallyport fga bootstrap',
  },
  migrations: {
    needs: 'DATABASE_URL',
    green: 'the schema is as the migrations promise',
    cause: 'a migration is pending, or was changed by hand',
    next: 'sallyport db migrate',
  },
  pooler: {
    needs: 'DATABASE_URL',
    green: 'the connection is direct, or goes through a pooler that keeps transactions together',
    cause: 'a pooler by statements: transactions are refused',
    next: 'set pool_mode = transaction, or take the direct address',
  },
  mail: {
    needs: 'MAIL_URL, MAIL_FROM',
    green: 'the mail server is connected to, encrypted, and takes the account',
    cause: 'the port is closed on the way, the certificate is not trusted, or the password is wrong',
    next: 'docs/mail.md',
  },
} as const satisfies Readonly<Record<string, Described>>;

/** Regular work, and Zitadel itself. */
const OPERATION = {
  webhooks: {
    needs: 'ZITADEL_ISSUER_URL, WEBHOOK_SIGNING_KEYS, ZITADEL_SERVICE_TOKEN',
    green: 'Zitadel calls the gateway for every event that is handled, and a signed probe is taken',
    cause:
      'an execution is missing, the signing key was changed, or the address does not lead to the gateway',
    next: 'docs/zitadel-setup.md',
  },
  'reconcile-lag': {
    needs: 'DATABASE_URL, ZITADEL_ISSUER_URL, ZITADEL_SERVICE_TOKEN',
    green: 'events whose delivery was missed have been fetched within the last quarter of an hour',
    cause: 'no job runs, the token is dead, or Zitadel is away',
    next: 'sallyport cron run webhooks-reconcile',
  },
  cron: {
    needs: 'DATABASE_URL',
    green: 'every regular job has ended well within three of its times',
    cause: 'no process keeps the schedule, or a job fails',
    next: 'sallyport cron list',
  },
  alarms: {
    needs: 'DATABASE_URL',
    green: 'no alarm stands',
    cause: 'what the alarm says',
    next: 'docs/figures.md#alarms',
  },
  'zitadel-token': {
    needs: 'ZITADEL_SERVICE_TOKEN or ZITADEL_PROVISIONING_TOKEN',
    green: 'Zitadel takes the tokens of our service accounts, and they may read the instance',
    cause:
      'Errors.Token.Invalid (AUTH-7fs1e): the token ran out or was removed, its account was deactivated or locked, which ends tokens for good, or the masterkey is another one',
    next: 'with a token of an IAM_OWNER: sallyport zitadel setup --renew ZITADEL_SERVICE_TOKEN --out FILE',
  },
  'login-v2': {
    needs: 'ZITADEL_SERVICE_TOKEN',
    green: 'where Login v2 is required, its pages answer',
    cause:
      'its container is away, or its login client has no valid token (Errors.Token.Invalid (AUTH-7fs1e) in its log, 500 on the page)',
    next: 'sallyport zitadel tokens list',
  },
  'zitadel-instance': {
    needs: 'ZITADEL_SERVICE_TOKEN',
    green: 'the host of ZITADEL_ISSUER_URL is a domain of the instance',
    cause: 'another instance answers: its people are "user not found" there',
    next: 'sallyport zitadel login-names explain INPUT',
  },
  'zitadel-database': {
    needs: 'ZITADEL_DATABASE_URL',
    green: "Zitadel's database answers, and its role may read what the commands need",
    cause:
      "peer authentication failed, or permission denied: the role is not the one that owns Zitadel's tables",
    next: 'give the role of ZITADEL_DATABASE_URL read rights, or name a superuser there',
  },
  'zitadel-database-sessions': {
    needs: 'ZITADEL_DATABASE_URL',
    green: 'no session has a transaction open for more than ten minutes, and connections are left',
    cause: 'database is being accessed by other users: an import has to wait until they are gone',
    next: 'scale Zitadel and its login to 0 before an import',
  },
} as const satisfies Readonly<Record<string, Described>>;

/** The security checklist. */
const SECURITY = {
  tls: {
    needs: 'an address with TLS',
    green:
      'every certificate is trusted and valid for more than three weeks, and nothing outside of this machine is spoken to in the clear',
    cause: 'a certificate ran out, is for another host, or is of an unknown authority',
    next: 'kubectl get certificate',
  },
  'pat-age': {
    needs: 'ZITADEL_SERVICE_TOKEN',
    green: 'no personal access token of a service account is older than 90 days or about to run out',
    cause: 'it was not rotated for 90 days',
    next: 'sallyport zitadel tokens rotate --older-than 90d --out FILE',
  },
  'admin-mfa': {
    needs: 'ZITADEL_SERVICE_TOKEN',
    green: 'every person who administers Zitadel has a second factor, or has to have one',
    cause: 'an administrator signs in by a password alone',
    next: 'sallyport zitadel setup --dry-run',
  },
  'network-exposure': {
    needs: 'UPSTREAM_URL or OPENFGA_URL',
    green:
      "no rule leads strangers to OpenFGA or to Zitadel's management, and OpenFGA refuses who has no token or is not reached from outside",
    cause: 'a rule with public access and target openfga or zitadel; OpenFGA without authentication',
    next: 'sallyport rules check',
  },
  backups: {
    needs: 'BACKUP_DIR, or a folder ./backups',
    green: 'the newest backup is less than 26 hours old',
    cause: 'the daily backup did not run, or failed',
    next: 'sallyport backup create',
  },
  'restore-proven': {
    needs: 'BACKUP_DIR, or a folder ./backups',
    green: 'a backup was restored and counted within the last 90 days',
    cause: 'nobody has tried whether backups can be restored',
    next: 'sallyport backup verify latest',
  },
  versions: {
    needs: 'something that tells its version',
    green: 'no version that is told is affected by a known advisory',
    cause: 'an update was not installed',
    next: 'docs/doctor.md#advisories',
  },
  'failed-sign-ins': {
    needs: 'ZITADEL_SERVICE_TOKEN, or DATABASE_URL and FUNCTIONS=auth',
    green: 'sign-ins are refused no more often than usual, by Zitadel and here',
    cause: 'somebody tries passwords, or the provider refuses people',
    next: 'sallyport audit list --what sign_in_refused --since 24h',
  },
} as const satisfies Readonly<Record<string, Described>>;

/** Every check, in the order in which they are shown. */
export const REGISTRY = { ...REQUESTS, ...SETUP, ...OPERATION, ...SECURITY };

export type CheckName = keyof typeof REGISTRY;

/** What a deployment needs: red there refuses it. */
export const DEPLOYMENT = [
  'issuer-discovery',
  'keys',
  'openfga',
  'openfga-model',
  'rules-model',
  'database',
  'migrations',
  'feature-migration',
] as const satisfies readonly CheckName[];

export function isCheckName(name: string): name is CheckName {
  return Object.hasOwn(REGISTRY, name);
}

export const CHECK_NAMES: readonly CheckName[] = Object.keys(REGISTRY).filter(isCheckName);
