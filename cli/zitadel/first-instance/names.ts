import { closest } from '../../../shared/nearest.ts';

/** Settings of Zitadel v4, of its defaults and its set-up steps, as variables without ZITADEL_: names below each prefix. */
const LISTS: Readonly<Record<string, string>> = {
  '': 'PORT EXTERNALPORT EXTERNALDOMAIN EXTERNALSECURE HTTP1HOSTHEADER HTTP2HOSTHEADER INSTANCEHOSTHEADERS PUBLICHOSTHEADERS WEBAUTHNNAME AUDITLOGRETENTION SYSTEMAPIUSERS',
  TLS: 'ENABLED KEYPATH KEY CERTPATH CERT',
  DATABASE_POSTGRES:
    'DSN HOST PORT DATABASE AWAITINITIALCONN MAXOPENCONNS MAXIDLECONNS MAXCONNLIFETIME MAXCONNIDLETIME OPTIONS',
  DATABASE_POSTGRES_USER: 'USERNAME PASSWORD SSL_MODE SSL_ROOTCERT SSL_CERT SSL_KEY',
  DATABASE_POSTGRES_ADMIN: 'EXISTINGDATABASE USERNAME PASSWORD SSL_MODE SSL_ROOTCERT SSL_CERT SSL_KEY',
  FIRSTINSTANCE: 'SKIP MACHINEKEYPATH PATPATH LOGINCLIENTPATPATH INSTANCENAME DEFAULTLANGUAGE',
  DEFAULTINSTANCE: 'INSTANCENAME DEFAULTLANGUAGE EMAILTEMPLATE',
  DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY: 'MINLENGTH HASLOWERCASE HASUPPERCASE HASNUMBER HASSYMBOL',
  DEFAULTINSTANCE_PASSWORDAGEPOLICY: 'EXPIREWARNDAYS MAXAGEDAYS',
  DEFAULTINSTANCE_DOMAINPOLICY:
    'USERLOGINMUSTBEDOMAIN VALIDATEORGDOMAINS SMTPSENDERADDRESSMATCHESINSTANCEDOMAIN',
  DEFAULTINSTANCE_LOGINPOLICY:
    'ALLOWUSERNAMEPASSWORD ALLOWREGISTER ALLOWEXTERNALIDP FORCEMFA FORCEMFALOCALONLY HIDEPASSWORDRESET IGNOREUNKNOWNUSERNAMES ALLOWDOMAINDISCOVERY DISABLELOGINWITHEMAIL DISABLELOGINWITHPHONE PASSWORDLESSTYPE DEFAULTREDIRECTURI PASSWORDCHECKLIFETIME EXTERNALLOGINCHECKLIFETIME MFAINITSKIPLIFETIME SECONDFACTORCHECKLIFETIME MULTIFACTORCHECKLIFETIME',
  DEFAULTINSTANCE_PRIVACYPOLICY:
    'TOSLINK PRIVACYLINK HELPLINK SUPPORTEMAIL DOCSLINK CUSTOMLINK CUSTOMLINKTEXT',
  DEFAULTINSTANCE_NOTIFICATIONPOLICY: 'PASSWORDCHANGE',
  DEFAULTINSTANCE_LABELPOLICY:
    'PRIMARYCOLOR BACKGROUNDCOLOR WARNCOLOR FONTCOLOR PRIMARYCOLORDARK BACKGROUNDCOLORDARK WARNCOLORDARK FONTCOLORDARK HIDELOGINNAMESUFFIX ERRORMSGPOPUP DISABLEWATERMARK THEMEMODE',
  DEFAULTINSTANCE_LOCKOUTPOLICY: 'MAXPASSWORDATTEMPTS MAXOTPATTEMPTS SHOULDSHOWLOCKOUTFAILURE',
  DEFAULTINSTANCE_SMTPCONFIGURATION: 'SMTP_HOST SMTP_USER SMTP_PASSWORD TLS FROM FROMNAME REPLYTOADDRESS',
  DEFAULTINSTANCE_OIDCSETTINGS:
    'ACCESSTOKENLIFETIME IDTOKENLIFETIME REFRESHTOKENIDLEEXPIRATION REFRESHTOKENEXPIRATION',
  DEFAULTINSTANCE_RESTRICTIONS: 'DISALLOWPUBLICORGREGISTRATION ALLOWEDLANGUAGES',
  DEFAULTINSTANCE_LIMITS: 'AUDITLOGRETENTION BLOCK',
};

const ORG =
  'NAME HUMAN_USERNAME HUMAN_FIRSTNAME HUMAN_LASTNAME HUMAN_NICKNAME HUMAN_DISPLAYNAME HUMAN_EMAIL_ADDRESS HUMAN_EMAIL_VERIFIED HUMAN_PREFERREDLANGUAGE HUMAN_GENDER HUMAN_PHONE_NUMBER HUMAN_PHONE_VERIFIED HUMAN_PASSWORD HUMAN_PASSWORDCHANGEREQUIRED MACHINE_MACHINE_USERNAME MACHINE_MACHINE_NAME MACHINE_MACHINEKEY_EXPIRATIONDATE MACHINE_MACHINEKEY_TYPE MACHINE_PAT_EXPIRATIONDATE LOGINCLIENT_MACHINE_USERNAME LOGINCLIENT_MACHINE_NAME LOGINCLIENT_PAT_EXPIRATIONDATE';

/** Sections that differ between releases, or hold names of the operator's own: whatever stands below is taken. */
const OPEN = [
  'DEFAULTINSTANCE_SECRETGENERATORS DEFAULTINSTANCE_FEATURES DEFAULTINSTANCE_MESSAGETEXTS DEFAULTINSTANCE_QUOTAS DEFAULTINSTANCE_WEBKEYS',
  'FIRSTINSTANCE_FEATURES DATABASE_COCKROACH INSTRUMENTATION LOG METRICS TRACING PROFILER TELEMETRY SERVICEPING CACHES MACHINE ASSETSTORAGE',
  'PROJECTIONS NOTIFICATIONS EXECUTIONS AUTH ADMIN USERAGENTCOOKIE OIDC SAML SCIM LOGIN CONSOLE ENCRYPTIONKEYS SYSTEMDEFAULTS SYSTEMAPIUSERS',
  'ACTIONS LOGSTORE QUOTAS EVENTSTORE HTTPCLIENT INTERNALAUTHZ SYSTEMAUTHZ CORRECTCREATIONDATE ADDEVENTCREATEDAT INIT INITPROJECTIONS',
].flatMap((line) => line.split(' '));

/** Not of the configuration: the masterkey, and what the container of login UI v2 reads. */
const BESIDE = [
  'MASTERKEY',
  'API_URL',
  'SERVICE_USER_TOKEN',
  'SERVICE_USER_TOKEN_FILE',
  'SERVICE_USER_ID',
  'LOGINCLIENT_KEYFILE',
];

const LEAVES: ReadonlySet<string> = new Set([
  ...Object.entries({ ...LISTS, FIRSTINSTANCE_ORG: ORG, DEFAULTINSTANCE_ORG: ORG }).flatMap(
    ([prefix, names]) => names.split(' ').map((name) => (prefix === '' ? name : `${prefix}_${name}`)),
  ),
]);

export type Judged =
  | { readonly kind: 'known' }
  /** Leaves below it are read; a value of its own is not, and hides their defaults. */
  | { readonly kind: 'group'; readonly leaves: readonly string[] }
  | { readonly kind: 'unknown'; readonly meant: string | undefined };

/** What Zitadel makes of a name, given as a variable without ZITADEL_. */
export function judged(key: string): Judged {
  if (LEAVES.has(key) || BESIDE.includes(key) || isBelow(key, OPEN)) return { kind: 'known' };
  const leaves = [...LEAVES].filter((leaf) => leaf.startsWith(`${key}_`));
  if (leaves.length > 0) return { kind: 'group', leaves };
  return { kind: 'unknown', meant: meantBy(key) };
}

/** Sections by which a file is known to be Zitadel's own configuration. */
export const TELLING = [
  'FIRSTINSTANCE',
  'DEFAULTINSTANCE',
  'EXTERNALDOMAIN',
  'EXTERNALPORT',
  'EXTERNALSECURE',
];

function isBelow(key: string, sections: readonly string[]): boolean {
  return sections.some((section) => key === section || key.startsWith(`${section}_`));
}

/** FIRSTINSTANCE_ORG_HUMAN_EMAILADDRESS, FIRST_INSTANCE_ORG_NAME, EXTERNAL_DOMAIN, EXTERNALDOMIAN, externaldomain. */
function meantBy(key: string): string | undefined {
  const candidates = [...LEAVES, ...BESIDE];
  const near = closest(bare(key), candidates.map(bare));
  return (
    candidates.find((each) => bare(each) === bare(key)) ??
    candidates.find((each) => bare(each) === near) ??
    twinOf(key) ??
    byLevels(key.split('_')) ??
    withLevelsLeftOut(key)
  );
}

/** FIRSTINSTANCE_DOMAINPOLICY_…, DEFAULTINSTANCE_PATPATH. */
function twinOf(key: string): string | undefined {
  const twins = [
    key.replace(/^FIRST(?=INSTANCE_)/, 'DEFAULT'),
    key.replace(/^DEFAULT(?=INSTANCE_)/, 'FIRST'),
  ];
  return twins.find((each) => LEAVES.has(each));
}

/** FIRSTINSTANCE_ORG_HUMAN_MAIL: each level by its nearest name; of a group its first setting. */
function byLevels([level, ...rest]: readonly string[], above = ''): string | undefined {
  if (level === undefined) return [...LEAVES].find((leaf) => `${leaf}_`.startsWith(above));
  const below = [...LEAVES].filter((leaf) => leaf.startsWith(above)).map((leaf) => leaf.slice(above.length));
  const names = [...new Set(below.map((leaf) => leaf.split('_')[0] ?? ''))];
  const name = names.includes(level) ? level : closest(level, names);
  return name === undefined ? undefined : byLevels(rest, `${above}${name}_`);
}

/** FIRSTINSTANCE_HUMAN_USERNAME, FIRSTINSTANCE_ORG_USERNAME. */
function withLevelsLeftOut(key: string): string | undefined {
  const [section = '', ...rest] = key.split('_');
  const end = rest.length === 0 ? undefined : `_${rest.at(-1)}`;
  const candidates = [...LEAVES].filter(
    (leaf) => end !== undefined && leaf.startsWith(`${section}_`) && leaf.endsWith(end),
  );
  return candidates.find((leaf) => rest.every((level) => leaf.split('_').includes(level)));
}

function bare(key: string): string {
  return key.replaceAll('_', '').toUpperCase();
}
