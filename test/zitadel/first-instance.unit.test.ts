// Long because each fault has its case, with the file that shows it.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { afterEach, describe, expect, it } from 'vitest';
import { checked, type Checked } from '../../cli/zitadel/first-instance/check.ts';

const NOW = new Date('2026-11-28T12:00:00Z');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Checks the first of the files, with the others beside it. */
async function check(files: Readonly<Record<string, string>>): Promise<Checked> {
  const folder = mkdtempSync(join(tmpdir(), 'first-instance-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const result = await checked(join(folder, Object.keys(files)[0] ?? ''), NOW);
  const faults = result.faults.map((fault) => ({ ...fault, file: fault.file.slice(folder.length + 1) }));
  return { ...result, faults };
}

async function faultsIn(files: Readonly<Record<string, string>>): Promise<string[]> {
  return (await check(files)).faults.map(({ file, line, message }) => `${file}:${line} ${message}`);
}

function env(...lines: readonly string[]): { readonly '.env': string } {
  return { '.env': lines.map((line) => `ZITADEL_${line}\n`).join('') };
}

function service(environment: readonly string[], more: readonly string[] = []): string {
  return [
    'services:',
    '  zitadel:',
    '    image: ghcr.io/zitadel/zitadel:v4.13.1',
    ...more.map((line) => `    ${line}`),
    '    environment:',
    ...environment.map((line) => `      ${line}`),
    '',
  ].join('\n');
}

const REACHED = ['EXTERNALDOMAIN=auth.example.org', 'EXTERNALPORT=443', 'EXTERNALSECURE=true'];

describe('a compose file', () => {
  it('comes to what Zitadel made of the same variables, and its ignored e-mail is named by its line', async () => {
    const compose = service([
      'ZITADEL_FIRSTINSTANCE_ORG_NAME: GadgetBot',
      'ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAME: admin',
      'ZITADEL_FIRSTINSTANCE_ORG_HUMAN_PASSWORD: Secret-1!secret',
      'ZITADEL_FIRSTINSTANCE_ORG_HUMAN_EMAIL: alice@example.org',
      'ZITADEL_EXTERNALDOMAIN: auth.example.org',
      'ZITADEL_EXTERNALPORT: 443',
    ]);
    const { outcome, faults } = await check({ 'compose.yaml': compose });
    expect(outcome).toEqual({
      username: 'admin@gadgetbot.auth.example.org',
      email: 'admin@gadgetbot.auth.example.org',
      email_verified: false,
      org_domain: 'gadgetbot.auth.example.org',
      login_names: ['admin@gadgetbot.auth.example.org'],
    });
    expect(faults).toEqual([
      {
        file: 'compose.yaml',
        line: 8,
        message:
          'ZITADEL_FIRSTINSTANCE_ORG_HUMAN_EMAIL is ignored, and hides the defaults below it, among them that the e-mail is verified: the address is ZITADEL_FIRSTINSTANCE_ORG_HUMAN_EMAIL_ADDRESS',
      },
    ]);
  });

  it('takes lists, anchors, merge keys and defaults, and puts in what .env beside it sets', async () => {
    const compose = `x-common: &common
  ZITADEL_EXTERNALDOMAIN: \${DOMAIN:?set it}
  ZITADEL_EXTERNALPORT: \${PORT:-443}
services:
  login:
    image: ghcr.io/zitadel/zitadel-login:v4.13.1
    environment: [ZITADEL_WHATEVER=1]
  zitadel:
    image: \${REGISTRY-ghcr.io}/zitadel/zitadel:v4.13.1
    environment:
      <<: *common
      ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAME: "\${ADMIN:-alice}"
  zitadel-setup:
    image: ghcr.io/zitadel/zitadel:v4.13.1
    environment:
      - ZITADEL_FIRSTINSTANCE_ORG_HUMAN_EMAIL_ADDRESS=\${ADMIN:-alice}@example.org
      - ZITADEL_FIRSTINSTANCE_ORG_NAME=Cash $$ & \${NESTED:-\${NONE:-Carry}}
`;
    const { outcome, faults } = await check({
      'compose.yaml': compose,
      '.env': 'DOMAIN=auth.example.org\nADMIN=bob\n',
    });
    expect(faults).toEqual([]);
    expect(outcome).toMatchObject({
      username: 'bob@cash---carry.auth.example.org',
      email: 'bob@example.org',
      email_verified: true,
    });
  });

  it('says what has no value, where the outcome hangs on it', async () => {
    const compose = service(['ZITADEL_EXTERNALDOMAIN: ${DOMAIN}', 'ZITADEL_MASTERKEY: ${MASTERKEY}']);
    const { outcome, faults } = await check({ 'compose.yaml': compose });
    expect(faults.map(({ message }) => message)).toEqual([
      'ZITADEL_EXTERNALDOMAIN comes out empty: DOMAIN has no value in .env or the environment',
    ]);
    expect(outcome).toMatchObject({ username: null, org_domain: null, login_names: [] });
  });

  it('reads env_file and mounted files of --config and --steps, and finds a masterkey that is to come and does not', async () => {
    const compose = service(
      ['ZITADEL_EXTERNALPORT: 443'],
      [
        'command: start-from-init --masterkeyFromEnv --tlsMode external --config /etc/zitadel/config.yaml --steps=/steps.yaml',
        'env_file: [zitadel.env, {path: none.env, required: false}, gone.env]',
        'volumes:',
        '  - ./config.yaml:/etc/zitadel/config.yaml:ro',
        '  - {type: bind, source: ./steps.yaml, target: /steps.yaml}',
      ],
    );
    const found = await check({
      'compose.yaml': compose,
      'zitadel.env': 'ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAM=alice\n',
      'config.yaml': 'ExternalDomain: auth.example.org\nFirstInstance:\n  Org:\n    Name: Lost\n',
      'steps.yaml': 'FirstInstance:\n  Org:\n    Name: Acme\n    Human:\n      UserName: carol\n',
    });
    expect(found.outcome.username).toBe('carol@acme.auth.example.org');
    expect(
      found.faults.map(({ file, line, message }) => `${file}:${line} ${message.replace(/\/\S*\//, '')}`),
    ).toEqual([
      'compose.yaml:4 the masterkey is to come from the environment, and ZITADEL_MASTERKEY is not set',
      'compose.yaml:5 gone.env cannot be read: there is no such file or folder: check the path, which counts from the folder the program runs in (ENOENT)',
      'config.yaml:4 FirstInstance.Org.Name is read from a file of --steps, not of --config',
      'zitadel.env:1 ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAM is no setting of Zitadel: is ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAME meant?',
    ]);
  });

  it.each([
    ['> S3cret', 'Not a YAML token'],
    ['|S3cret', 'Block scalar header includes extra characters'],
    ['*S3cret', 'begins with *'],
    ['!S3cret', 'begins with !'],
    ['&S3cret', 'begins with &'],
    ['"x"S3cret', 'Unexpected scalar at node end'],
  ])(
    'names no first person, and shows nothing, where a password without quotes is no text: %s',
    async (password, message) => {
      const { outcome, faults } = await check({
        'compose.yaml': service([`ZITADEL_FIRSTINSTANCE_ORG_HUMAN_PASSWORD: ${password}`]),
      });
      expect(faults[0]).toMatchObject({ line: 5, message: expect.stringContaining(message) as unknown });
      expect(JSON.stringify(faults)).not.toContain('S3cret');
      expect(outcome).toMatchObject({ username: null, email: null, login_names: [] });
    },
  );

  it('takes the tags by which Compose removes what another file has', async () => {
    const compose = service([
      'ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAME: alice',
      'ZITADEL_EXTERNALDOMAIN: !reset',
    ]);
    expect((await check({ 'compose.yaml': compose })).faults).toEqual([]);
  });

  it('is refused where its anchors grow without end', async () => {
    const lines = Array.from(
      { length: 30 },
      (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}, *a${at}]`,
    );
    const text = ['a0: &a0 [x]', ...lines].join('\n');
    await expect(check({ 'compose.yaml': text })).rejects.toThrow('grows without end');
  });

  it('comes to the defaults where nothing is set', async () => {
    const { outcome, faults } = await check({
      'compose.yaml': 'services: {zitadel: {image: "ghcr.io/zitadel/zitadel:v4.13.1"}}\n',
    });
    expect(outcome).toEqual({
      username: 'zitadel-admin@zitadel.localhost',
      email: 'zitadel-admin@zitadel.localhost',
      email_verified: true,
      org_domain: 'zitadel.localhost',
      login_names: ['zitadel-admin@zitadel.localhost'],
    });
    expect(faults).toEqual([]);
  });

  it('that is no YAML has its fault by line', async () => {
    expect(await faultsIn({ 'compose.yaml': 'services:\n  zitadel: [\n' })).toEqual([
      expect.stringMatching(/^compose\.yaml:[23] /),
    ]);
  });
});

describe('values of the Helm chart, manifests and own configuration', () => {
  it('are read with their nested keys, in any case and with dots', async () => {
    const values = `zitadel:
  masterkey: x123456789012345678901234567890123
  masterkeySecretName: also
  configmapConfig:
    ExternalDomain: auth.example.org
    ExternalPort: 443
    ExternalSecure: true
    FirstInstance:
      PatPath: /pat
      Org:
        name: Acme
        Human: {UserName: alice@example.org, Email: alice@example.org}
        LoginClient:
          Pat.ExpirationDate: '2029-01-01T00:00:00Z'
    DefaultInstance.DomainPolicy.UserLoginMustBeDomain: true
env:
  - name: ZITADEL_DATABASE_POSTGRES_HOST
    valueFrom: {secretKeyRef: {name: postgres, key: host}}
`;
    const { outcome, faults } = await check({ 'values.yaml': values });
    expect(outcome).toEqual({
      username: 'alice@example.org',
      email: 'alice@example.org',
      email_verified: true,
      org_domain: 'acme.auth.example.org',
      login_names: ['alice@example.org@acme.auth.example.org'],
    });
    expect(faults.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '2 masterkey and masterkeySecretName are both set: keep one of them',
      '2 the masterkey has 34 bytes, and Zitadel takes 32 alone',
      '9 no token of a service account is made for FirstInstance.PatPath without FirstInstance.Org.Machine.Pat.ExpirationDate and FirstInstance.Org.Machine.Machine.UserName',
      '12 FirstInstance.Org.Human.Email is ignored: the address is FirstInstance.Org.Human.Email.Address',
    ]);
  });

  it('are found as a text in a ConfigMap and a Secret, with the lines of the file', async () => {
    const manifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: zitadel}
data:
  config.yaml: |
    ExternalDomian: auth.example.org
    ExternalSecure: maybe
---
apiVersion: v1
kind: Secret
metadata: {name: zitadel-masterkey}
data:
  masterkey: ${Buffer.from('short').toString('base64')}
`;
    expect(await faultsIn({ 'zitadel.yaml': manifest })).toEqual([
      'zitadel.yaml:6 ExternalDomian is no setting of Zitadel: is ExternalDomain meant?',
      'zitadel.yaml:7 ExternalSecure is neither true nor false',
      'zitadel.yaml:13 the masterkey has 5 bytes, and Zitadel takes 32 alone',
    ]);
  });

  it('of a container have its arguments, where they overrule', async () => {
    const manifest = `kind: Deployment
spec:
  containers:
    - name: zitadel
      image: ghcr.io/zitadel/zitadel:v4.13.1
      args: [start, --masterkeyFromEnv, --tlsMode, disabled]
      env:
        - {name: ZITADEL_MASTERKEY, valueFrom: {secretKeyRef: {name: zitadel, key: masterkey}}}
        - {name: ZITADEL_EXTERNALDOMAIN, value: auth.example.org}
        - {name: ZITADEL_EXTERNALPORT, value: "443"}
        - {name: ZITADEL_EXTERNALSECURE, value: "true"}
    - name: gateway
      image: example/sallyport
      env: [{name: ZITADEL_ISSUER_URL, value: "https://auth.example.org"}]
`;
    expect(await faultsIn({ 'zitadel.yaml': manifest })).toEqual([
      'zitadel.yaml:11 ZITADEL_EXTERNALSECURE is overruled by --tlsMode disabled, which makes it false: use external',
    ]);
  });

  it('without a setting of Zitadel are refused', async () => {
    await expect(check({ 'values.yaml': 'replicaCount: 1\n' })).rejects.toThrow('has no setting of Zitadel');
  });
});

describe('each fault', () => {
  const CASES: readonly (readonly [string, readonly string[], readonly RegExp[]])[] = [
    [
      'unknown',
      ['FIRSTINSTANCE_ORG_HUMAN_SHOESIZE=44'],
      [/^\.env:1 .*SHOESIZE is no setting of Zitadel: it has no effect$/],
    ],
    ['misspelled', ['FIRST_INSTANCE_ORG_NAME=Acme'], [/is ZITADEL_FIRSTINSTANCE_ORG_NAME meant\?$/]],
    [
      'misspelled in two letters',
      ['FIRSTINSTANCE_ORG_HUMAN_PASWROD=Password1!'],
      [/is ZITADEL_FIRSTINSTANCE_ORG_HUMAN_PASSWORD meant\?$/],
    ],
    [
      'misspelled in one level',
      ['FIRSTINSTANCE_ORG_HUMAN_MAIL=a@example.org'],
      [/is ZITADEL_FIRSTINSTANCE_ORG_HUMAN_EMAIL_ADDRESS meant\?$/],
    ],
    [
      'with a level left out',
      ['FIRSTINSTANCE_HUMAN_USERNAME=alice'],
      [/is ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAME meant\?$/],
    ],
    [
      'in the wrong section',
      ['FIRSTINSTANCE_DOMAINPOLICY_USERLOGINMUSTBEDOMAIN=true'],
      [/is ZITADEL_DEFAULTINSTANCE_DOMAINPOLICY_USERLOGINMUSTBEDOMAIN meant\?$/],
    ],
    [
      'of a group, which hides what is below it',
      ['FIRSTINSTANCE_ORG=Acme'],
      [
        /^\.env:1 ZITADEL_FIRSTINSTANCE_ORG is a group, and its value is ignored, and hides .* ZITADEL_FIRSTINSTANCE_ORG_NAME$/,
      ],
    ],
    [
      'DEFAULTINSTANCE_ORG for FIRSTINSTANCE_ORG',
      ['DEFAULTINSTANCE_ORG_HUMAN_USERNAME=alice'],
      [
        /ZITADEL_DEFAULTINSTANCE_ORG_HUMAN_USERNAME has no effect on the first instance: write ZITADEL_FIRSTINSTANCE_ORG_HUMAN_USERNAME/,
      ],
    ],
    [
      'DEFAULTINSTANCE_ORG beside FIRSTINSTANCE_ORG',
      ['DEFAULTINSTANCE_ORG_NAME=A', 'FIRSTINSTANCE_ORG_NAME=B'],
      [],
    ],
    ['DEFAULTINSTANCE policies', ['DEFAULTINSTANCE_DOMAINPOLICY_USERLOGINMUSTBEDOMAIN=true'], []],
    [
      'the password policy',
      ['FIRSTINSTANCE_ORG_HUMAN_PASSWORD=passwort'],
      [
        /^\.env:1 ZITADEL_FIRSTINSTANCE_ORG_HUMAN_PASSWORD does not meet the password policy: it lacks an upper-case letter, a digit, a symbol$/,
      ],
    ],
    [
      'a password policy that the default password does not meet',
      ['DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_MINLENGTH=12'],
      [/^\.env:1 the default password does not meet the password policy: it lacks 12 characters$/],
    ],
    [
      'a password that an easier policy takes',
      [
        'DEFAULTINSTANCE_PASSWORDCOMPLEXITYPOLICY_HASSYMBOL=false',
        'FIRSTINSTANCE_ORG_HUMAN_PASSWORD=Passwort1',
      ],
      [],
    ],
    [
      'a password that bcrypt cuts',
      [`FIRSTINSTANCE_ORG_HUMAN_PASSWORD=Aa1!${'x'.repeat(70)}`],
      [/has more than 72 bytes$/],
    ],
    ['the masterkey', ['MASTERKEY=MasterkeyNeedsToHave32Character'], [/^\.env:1 the masterkey has 31 bytes/]],
    [
      'a domain with a scheme',
      ['EXTERNALDOMAIN=https://auth.example.org'],
      [/^\.env:1 ZITADEL_EXTERNALDOMAIN is a host name alone/],
    ],
    ['a port that is none', ['EXTERNALPORT=https'], [/^\.env:1 ZITADEL_EXTERNALPORT is no port/]],
    [
      'a domain without a port',
      ['EXTERNALDOMAIN=auth.example.org'],
      [/^\.env:1 ExternalPort is not set, .* https:\/\/auth\.example\.org:8080/],
    ],
    [
      '443 without TLS',
      ['EXTERNALDOMAIN=a.example.org', 'EXTERNALPORT=443', 'EXTERNALSECURE=false'],
      [/^\.env:3 ExternalSecure is false while ExternalPort is 443/],
    ],
    [
      '80 with TLS',
      ['EXTERNALDOMAIN=a.example.org', 'EXTERNALPORT=80'],
      [/^\.env:2 ZITADEL_EXTERNALPORT is 80 while ExternalSecure is true/],
    ],
    ['443 without a domain', ['EXTERNALPORT=443'], [/^\.env:1 ExternalDomain is not set/]],
    [
      'a token without an expiry',
      ['FIRSTINSTANCE_PATPATH=/pat', 'FIRSTINSTANCE_ORG_MACHINE_MACHINE_USERNAME=m'],
      [
        /^\.env:1 no token of a service account is made for ZITADEL_FIRSTINSTANCE_PATPATH without ZITADEL_FIRSTINSTANCE_ORG_MACHINE_PAT_EXPIRATIONDATE$/,
      ],
    ],
    [
      'a login client whose token has expired',
      [
        'FIRSTINSTANCE_LOGINCLIENTPATPATH=/p',
        'FIRSTINSTANCE_ORG_LOGINCLIENT_MACHINE_USERNAME=l',
        'FIRSTINSTANCE_ORG_LOGINCLIENT_PAT_EXPIRATIONDATE=2026-01-01T00:00:00Z',
      ],
      [/^\.env:3 .* is in the past$/],
    ],
    [
      'a key that has expired',
      ['FIRSTINSTANCE_ORG_MACHINE_MACHINEKEY_EXPIRATIONDATE=2026-01-01T00:00:00Z'],
      [/^\.env:1 .* is in the past$/],
    ],
    [
      'an organisation without a letter',
      ['FIRSTINSTANCE_ORG_NAME=!!!'],
      [/^\.env:1 .* leaves no letter and no digit/],
    ],
    [
      'an address that is none',
      ['FIRSTINSTANCE_ORG_HUMAN_EMAIL_ADDRESS=alice'],
      [/^\.env:1 .* is no e-mail address$/],
    ],
    ['nothing', REACHED, []],
  ];

  it.each(CASES)('%s', async (_name, lines, expected) => {
    const found = await faultsIn(env(...lines));
    expect(found).toHaveLength(expected.length);
    for (const [at, pattern] of expected.entries()) expect(found[at]).toMatch(pattern);
  });

  it('of --tlsMode is named where ExternalSecure says otherwise', async () => {
    const compose = service(
      [
        '- ZITADEL_EXTERNALDOMAIN=auth.example.org',
        '- ZITADEL_EXTERNALPORT=443',
        '- ZITADEL_EXTERNALSECURE=true',
      ],
      ["command: 'start-from-init --masterkeyFromEnv --tlsMode disabled'"],
    );
    expect(await faultsIn({ 'docker-compose.yml': compose })).toEqual([
      expect.stringMatching(/^docker-compose\.yml:4 the masterkey is to come/),
      'docker-compose.yml:8 ZITADEL_EXTERNALSECURE is overruled by --tlsMode disabled, which makes it false: use external',
    ]);
  });

  it('of a masterkey that no flag asks for is named, also beside its variable', async () => {
    const files = (command: string) => ({
      'compose.yaml': service(
        ['ZITADEL_MASTERKEY: MasterkeyNeedsToHave32Characters'],
        [`command: ${command}`],
      ),
    });
    expect(await faultsIn(files('start-from-init --tlsMode disabled'))).toEqual([
      'compose.yaml:4 start-from-init needs a masterkey, whatever is set: add --masterkeyFromEnv and ZITADEL_MASTERKEY',
    ]);
    for (const flag of [
      '--masterkeyFromEnv',
      '--masterkeyFile /run/key',
      '--masterkey "MasterkeyNeedsToHave32Characters"',
    ])
      expect(await faultsIn(files(`'start-from-init --tlsMode disabled ${flag}'`))).toEqual([]);
  });

  it('is not looked for in other services of a compose file', async () => {
    const compose = `${service(['ZITADEL_EXTERNALDOMAIN: localhost'])}  gateway:
    image: example/sallyport
    environment: {ZITADEL_ISSUER_URL: "https://auth.example.org", ZITADEL_EXTERNALDOMAIN: "auth.example.org"}
`;
    const { outcome, faults } = await check({ 'compose.yaml': compose });
    expect([outcome.org_domain, faults]).toEqual(['zitadel.localhost', []]);
  });

  it('of a port is not looked for in .env where the compose file beside has it', async () => {
    const files = {
      ...env('EXTERNALDOMAIN=auth.example.org'),
      'compose.yaml': service(['ZITADEL_EXTERNALPORT: 443']),
    };
    expect(await faultsIn(files)).toEqual([]);
  });

  it('passes over variables of Sallyport and of the compose file beside .env', async () => {
    const files = {
      '.env':
        'ZITADEL_ISSUER_URL=https://auth.example.org\nZITADEL_IMAGE=x\nZITADEL_EXTERNALPORT=443\nZITADEL_EXTERNALDOMAIN=auth.example.org\n',
      'compose.yaml': 'services: {zitadel: {image: "${ZITADEL_IMAGE}"}}\n',
    };
    expect(await faultsIn(files)).toEqual([]);
  });

  it('never shows a password or the masterkey', async () => {
    const secrets = ['hunter2-hunter2', 'key-of-the-wrong-length'];
    const { faults } = await check(
      env(`FIRSTINSTANCE_ORG_HUMAN_PASSWORD=${secrets[0]}`, `MASTERKEY=${secrets[1]}`),
    );
    expect(faults).toHaveLength(2);
    for (const secret of secrets) expect(JSON.stringify(faults)).not.toContain(secret);
  });
});

const RECORDED = new URL(
  '../../../shared/recordings/zitadel/00-first-instance-variables.txt',
  import.meta.url,
);
const Human = z.looseObject({ userName: z.string(), email: z.string() });
const Domain = z.object({ domain: z.string() });

/** Cases of the recording: the variables of each, and what the first start of a real Zitadel made of them. */
function recordedStarts(): { readonly name: string; readonly lines: string[]; readonly made: object }[] {
  const text = existsSync(RECORDED) ? readFileSync(RECORDED, 'utf8') : '';
  return text.split(/^== /m).flatMap((part) => {
    const [head = '', ...events] = part.trimEnd().split('\n');
    const [, name = '', variables = ''] = /^(\w+): (.*)$/.exec(head) ?? [];
    const payload = (type: string): unknown =>
      JSON.parse(events.find((event) => event.startsWith(`${type}|`))?.slice(type.length + 1) ?? 'null');
    if (name === '') return [];
    const { userName, email } = Human.parse(payload('user.human.added'));
    const names = events.flatMap((event) => /^login_name\|(.*)\|t$/.exec(event)?.[1] ?? []);
    const made = {
      username: userName,
      email,
      email_verified: events.some((event) => event.startsWith('user.human.email.verified')),
      org_domain: Domain.parse(payload('org.domain.added')).domain,
      login_names: [names.at(-1)],
    };
    return [{ name, lines: variables.split(/ (?=ZITADEL_)/), made }];
  });
}

describe.skipIf(!existsSync(RECORDED))('a recorded first start (needs ../shared/recordings)', () => {
  it.each(recordedStarts())('$name comes out as it did', async ({ lines, made }) => {
    const text = lines.map((line) => `${line.replace('=', '="')}"\n`).join('');
    expect((await check({ '.env': text })).outcome).toEqual(made);
  });
});
