import { MASTERKEY_BYTES } from '../../operations.ts';
import { judged } from './names.ts';
import { ADDRESS, MUST_BE_DOMAIN, ORG_NAME, orgDomain, SKIP, USERNAME, VERIFIED } from './outcome.ts';
import { external } from './external.ts';
import type { Fault, Setting, Values } from './settings.ts';

type Check = (values: Values, now: Date) => readonly Fault[];

/** What will fail or come out otherwise than it reads, by file and line. */
export function faultsOf(values: Values, named: readonly Setting[], now: Date): Fault[] {
  const checks: readonly Check[] = [
    defaultOrg,
    unresolved,
    malformed,
    emptyDomain,
    password,
    masterkey,
    external,
    machines,
    machineKey,
  ];
  const skipped = values.flag(SKIP) === true;
  return [
    ...names(named),
    ...(skipped ? [masterkey, external] : checks).flatMap((check) => check(values, now)),
  ];
}

function at({ file, line }: Setting, message: string): Fault {
  return { file, line, message };
}

const EMAIL = 'FIRSTINSTANCE_ORG_HUMAN_EMAIL';

function names(settings: readonly Setting[]): Fault[] {
  return settings.flatMap((setting) => {
    if (setting.of === 'flag') return [];
    const name = judged(setting.key);
    if (name.kind === 'unknown') return [at(setting, unknown(setting, name.meant))];
    // An empty value over a group is not taken.
    return name.kind === 'group' && setting.value !== '' ? [at(setting, group(setting, name.leaves))] : [];
  });
}

function unknown({ written, of }: Setting, meant: string | undefined): string {
  if (meant === undefined) return `${written} is no setting of Zitadel: it has no effect`;
  return `${written} is no setting of Zitadel: is ${of === 'variable' ? `ZITADEL_${meant}` : nested(meant)} meant?`;
}

/** Words of several words, as files have them. */
const COMPOUND =
  /(?<=^(?:First|Default|External|User|Login|Domain|Pat|Expiration|Email|Org|Machine|Must))[a-z]/;

/** As in a file, where case plays no part: FirstInstance.Org.Name for FIRSTINSTANCE_ORG_NAME. */
function nested(key: string): string {
  return key
    .split('_')
    .map((word) => (word.slice(0, 1) + word.slice(1).toLowerCase()).replace(COMPOUND, (c) => c.toUpperCase()))
    .join('.');
}

function group({ key, written, of }: Setting, leaves: readonly string[]): string {
  const shown = (leaf: string): string =>
    of === 'variable' ? `ZITADEL_${leaf}` : `${written}.${nested(leaf.slice(key.length + 1))}`;
  const hides = of === 'variable' ? `, and hides the defaults below it` : '';
  if (key.endsWith('_HUMAN_EMAIL')) {
    const unverified = key === EMAIL && of === 'variable' ? `, among them that the e-mail is verified` : '';
    const right = shown(`${key}_ADDRESS`)
      .replace(/DEFAULT(?=INSTANCE)/, 'FIRST')
      .replace(/^Default(?=I)/, 'First');
    return `${written} is ignored${hides}${unverified}: the address is ${right}`;
  }
  const [first = ''] = leaves;
  return `${written} is a group, and its value is ignored${hides}: write what it holds, such as ${shown(first)}`;
}

/** Of the instances made later, by the system API; the first one reads the twin below FIRSTINSTANCE. */
function defaultOrg(values: Values): Fault[] {
  return values.all().flatMap((setting) => {
    const [, rest] = /^DEFAULTINSTANCE_ORG_(.+)$/.exec(setting.key) ?? [];
    if (rest === undefined || judged(setting.key).kind !== 'known') return [];
    const twin = `FIRSTINSTANCE_ORG_${rest}`;
    if (values.setting(twin) !== undefined || setting.value === '') return [];
    const meant =
      setting.of === 'variable' ? `ZITADEL_${twin}` : setting.written.replace(/^default/i, 'First');
    return [at(setting, `${setting.written} has no effect on the first instance: write ${meant}`)];
  });
}

/** What the outcome hangs on. */
const DECISIVE = [
  ORG_NAME,
  USERNAME,
  ADDRESS,
  VERIFIED,
  MUST_BE_DOMAIN,
  'EXTERNALDOMAIN',
  'EXTERNALPORT',
  'EXTERNALSECURE',
];

function unresolved(values: Values): Fault[] {
  return DECISIVE.flatMap((key) => {
    const setting = values.setting(key);
    if (setting === undefined || setting.missing.length === 0) return [];
    const missing = [...new Set(setting.missing)].join(' and ');
    const verb = missing.includes(' and ') ? 'have' : 'has';
    return [
      at(
        setting,
        `${setting.written} comes out empty: ${missing} ${verb} no value in .env or the environment`,
      ),
    ];
  });
}

const FLAGS = [VERIFIED, MUST_BE_DOMAIN, 'EXTERNALSECURE', 'FIRSTINSTANCE_ORG_HUMAN_PASSWORDCHANGEREQUIRED'];
const POLICY = 'DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY';
const DEMANDS = [
  ['HASLOWERCASE', /[a-z]/, 'a lower-case letter'],
  ['HASUPPERCASE', /[A-Z]/, 'an upper-case letter'],
  ['HASNUMBER', /[0-9]/, 'a digit'],
  ['HASSYMBOL', /[^A-Za-z0-9]/, 'a symbol'],
] as const;

function malformed(values: Values): Fault[] {
  const flags = [...FLAGS, ...DEMANDS.map(([name]) => `${POLICY}_${name}`)];
  return flags.flatMap((key) => {
    const setting = values.setting(key);
    if (setting === undefined || setting.value === null || values.flag(key) !== null) return [];
    return [at(setting, `${setting.written} is neither true nor false`)];
  });
}

function emptyDomain(values: Values): Fault[] {
  const [name, setting] = [values.text(ORG_NAME), values.setting(ORG_NAME)];
  const address = values.setting(ADDRESS);
  const broken =
    address === undefined || address.value === null || /^[^\s@]+@[^\s@]+$/.test(address.value.trim() || 'a@b')
      ? []
      : [at(address, `${address.written} is no e-mail address`)];
  if (name === null || setting === undefined || orgDomain(name, 'x') !== null) return broken;
  return [
    ...broken,
    at(setting, `${setting.written} leaves no letter and no digit for the organisation's domain`),
  ];
}

/** bcrypt takes no more; https://pkg.go.dev/golang.org/x/crypto/bcrypt */
const BCRYPT_BYTES = 72;

function password(values: Values): Fault[] {
  const text = values.text('FIRSTINSTANCE_ORG_HUMAN_PASSWORD');
  if (text === null) return [];
  const least = values.text(`${POLICY}_MINLENGTH`);
  const lacks = [
    ...(least !== null && /^\d+$/.test(least) && Buffer.byteLength(text) < Number(least)
      ? [`${least} characters`]
      : []),
    ...DEMANDS.flatMap(([name, has, what]) =>
      values.flag(`${POLICY}_${name}`) === true && !has.test(text) ? [what] : [],
    ),
  ];
  const own = values.setting('FIRSTINSTANCE_ORG_HUMAN_PASSWORD');
  const setting = own ?? values.all().find(({ key }) => key.startsWith(`${POLICY}_`));
  if (setting === undefined) return [];
  const whose = own === undefined ? 'the default password' : own.written;
  const long =
    Buffer.byteLength(text) > BCRYPT_BYTES
      ? [at(setting, `${whose} has more than ${BCRYPT_BYTES} bytes`)]
      : [];
  if (lacks.length === 0) return long;
  return [...long, at(setting, `${whose} does not meet the password policy: it lacks ${lacks.join(', ')}`)];
}

function masterkey(values: Values): Fault[] {
  const setting = values.setting('MASTERKEY');
  const demanded = values.setting('--masterkeyFromEnv');
  if (setting === undefined && demanded !== undefined)
    return [at(demanded, 'the masterkey is to come from the environment, and ZITADEL_MASTERKEY is not set')];
  const start = values.setting('start');
  const given = [demanded, values.setting('--masterkeyFile'), setting?.of === 'flag' ? setting : undefined];
  if (start !== undefined && given.every((each) => each === undefined))
    return [
      at(
        start,
        `${start.written} needs a masterkey, whatever is set: add --masterkeyFromEnv and ZITADEL_MASTERKEY`,
      ),
    ];
  if (setting === undefined || setting.value === null) return [];
  const bytes = Buffer.byteLength(setting.value);
  if (bytes === MASTERKEY_BYTES) return [];
  return [at(setting, `the masterkey has ${bytes} bytes, and Zitadel takes ${MASTERKEY_BYTES} alone`)];
}

const MACHINES = [
  { path: 'PATPATH', account: 'MACHINE', whose: 'a service account' },
  { path: 'LOGINCLIENTPATPATH', account: 'LOGINCLIENT', whose: 'the login client' },
] as const;

/** A token is made only with an expiry. */
function machines(values: Values, now: Date): Fault[] {
  return MACHINES.flatMap(({ path, account, whose }) => {
    const key = `FIRSTINSTANCE_ORG_${account}_PAT_EXPIRATIONDATE`;
    const [written, expiry, setting] = [
      values.setting(`FIRSTINSTANCE_${path}`),
      values.text(key),
      values.setting(key),
    ];
    const name = `FIRSTINSTANCE_ORG_${account}_MACHINE_USERNAME`;
    const lacking = [...(expiry === '' ? [key] : []), ...(values.text(name) === '' ? [name] : [])];
    const shown = (each: string): string => (written?.of === 'file' ? nested(each) : `ZITADEL_${each}`);
    const unmade =
      written === undefined || written.value === '' || lacking.length === 0
        ? []
        : [
            at(
              written,
              `no token of ${whose} is made for ${written.written} without ${lacking.map(shown).join(' and ')}`,
            ),
          ];
    if (setting === undefined || expiry === null || expiry === '') return unmade;
    return [...unmade, ...expiryFaults(setting, expiry, now)];
  });
}

const KEY_EXPIRY = 'FIRSTINSTANCE_ORG_MACHINE_MACHINEKEY_EXPIRATIONDATE';

function machineKey(values: Values, now: Date): Fault[] {
  const setting = values.setting(KEY_EXPIRY);
  if (setting === undefined || setting.value === null || setting.value === '') return [];
  return expiryFaults(setting, setting.value, now);
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function expiryFaults(setting: Setting, expiry: string, now: Date): Fault[] {
  const date = new Date(expiry);
  if (!RFC_3339.test(expiry) || Number.isNaN(date.getTime()))
    return [at(setting, `${setting.written} is no time as RFC 3339 has it, such as 2030-01-01T00:00:00Z`)];
  return date <= now ? [at(setting, `${setting.written} is in the past`)] : [];
}
