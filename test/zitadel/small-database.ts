import { createCipheriv, generateKeyPairSync, randomBytes } from 'node:crypto';

export interface SmallZitadel {
  readonly masterkey?: string;
  readonly domain?: string;
  /** Their login names are person-1 and so on, after this prefix. */
  readonly people?: number;
  readonly prefix?: string;
  /** Beyond those that every one has. */
  readonly steps?: readonly string[];
  /** What holds a key that proves the masterkey. */
  readonly proof?: 'web key' | 'private key' | 'signing key' | 'none';
  /** Bytes of payload of each event, for a database of some size. */
  readonly payloadBytes?: number;
  /** Payloads that no compression makes smaller than by half. */
  readonly noise?: boolean;
}

export const MASTERKEY = 'MasterkeyOfTheTests32Characters!';
export const INSTANCE = '310000000000000001';
const ORGANIZATION = '310000000000000002';
const STEPS = ['14_events_push', '59_setup_webkeys', '73_fix_user_grant_roles', 'projections.users14'];

/** Hand-made, in the shape of Zitadel's tables as far as an import looks at them: SQL to be run as their owner. */
export function smallZitadel(options: SmallZitadel = {}): string {
  const {
    masterkey = MASTERKEY,
    domain = 'localhost',
    people = 5,
    prefix = 'person',
    payloadBytes = 20,
  } = options;
  const dataKey = randomBytes(32);
  const steps = [...STEPS, ...(options.steps ?? [])];
  return `
create schema eventstore; create schema projections; create schema system; create schema cache;
create table eventstore.events2 (instance_id text not null, aggregate_type text not null, aggregate_id text not null,
  event_type text not null, sequence bigint not null, revision smallint not null, created_at timestamptz not null, payload jsonb,
  creator text not null, owner text not null, "position" numeric not null, in_tx_order integer not null,
  primary key (instance_id, aggregate_type, aggregate_id, sequence));
create table system.encryption_keys (id text primary key, key text not null);
create table projections.instances (id text primary key, name text not null, change_date timestamptz, creation_date timestamptz,
  default_org_id text not null default '', iam_project_id text not null default '', console_client_id text, console_app_id text,
  sequence bigint, default_language text);
create table projections.instance_domains (instance_id text, creation_date timestamptz, change_date timestamptz, sequence bigint,
  domain text, is_generated boolean, is_primary boolean, primary key (instance_id, domain));
create table projections.current_states (projection_name text, instance_id text, last_updated timestamptz, aggregate_id text,
  aggregate_type text, sequence bigint, event_date timestamptz, "position" numeric, filter_offset int, primary key (projection_name, instance_id));
create table projections.orgs1 (id text, instance_id text, name text, primary key (instance_id, id));
create table projections.users14 (id text, instance_id text, username text not null, type smallint not null, primary key (instance_id, id));
create table projections.users14_humans (user_id text, instance_id text, email text, primary key (instance_id, user_id),
  foreign key (instance_id, user_id) references projections.users14 (instance_id, id) on delete cascade);
create table projections.web_keys1 (instance_id text, key_id text, state int, private_key jsonb, primary key (instance_id, key_id));
create table projections.keys4_private (id text, instance_id text, expiry timestamptz, key jsonb, primary key (instance_id, id));
create table projections.targets2 (id text, instance_id text, name text, signing_key jsonb, primary key (instance_id, id));
create unlogged table cache.objects_default (id int primary key, payload text);
create function eventstore.note(text) returns text language plpgsql as $$
begin
INSERT INTO cache.objects_default values (1, $1);
  return 'DROP TABLE is no statement here';
end;
$$;
insert into system.encryption_keys values
  ('oidcKey', ${text(encrypted(Buffer.from(masterkey), dataKey).toString('base64url'))}),
  ('targetKey', ${text(encrypted(Buffer.from(masterkey), dataKey).toString('base64url'))});
insert into projections.instances (id, name, default_org_id, creation_date) values ('${INSTANCE}', 'Small', '${ORGANIZATION}', now());
insert into projections.instance_domains values ('${INSTANCE}', now(), now(), 1, ${text(domain)}, false, true);
insert into projections.orgs1 values ('${ORGANIZATION}', '${INSTANCE}', 'Acme');
insert into projections.users14 select 'u' || n, '${INSTANCE}', '${prefix}-' || n || E'\\ttab and \\\\ and\\nline', 1 from generate_series(1, ${people}) n;
insert into projections.users14_humans select 'u' || n, '${INSTANCE}', '${prefix}-' || n || '@example.org' from generate_series(1, ${people}) n;
insert into eventstore.events2 select '${INSTANCE}', 'user', 'u' || n, 'user.human.added', 1, 2, now(),
  jsonb_build_object('userName', '${prefix}-' || n, 'pad', ${options.noise === true ? `(select string_agg(md5(random()::text || m), '') from generate_series(1 + n * 0, ${Math.ceil(payloadBytes / 32)}) m)` : `repeat('x', ${payloadBytes})`}), '', '${ORGANIZATION}', 100 + n, 0 from generate_series(1, ${people}) n;
insert into projections.current_states (projection_name, instance_id, "position") values ('projections.users14', '${INSTANCE}', ${100 + people});
${steps.map((step, at) => `insert into eventstore.events2 values ('', 'system', 'SYSTEM', 'system.migration.done', ${at + 1}, 1, now(), ${text(JSON.stringify({ name: step }))}, 'system', 'SYSTEM', ${at + 1}, 0);`).join('\n')}
${proofOf(options.proof ?? 'web key', dataKey)}
`;
}

function proofOf(kind: NonNullable<SmallZitadel['proof']>, dataKey: Buffer): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  if (kind === 'web key') {
    const jwk = JSON.stringify({
      use: 'sig',
      kid: '1',
      alg: 'RS256',
      ...privateKey.export({ format: 'jwk' }),
    });
    return `insert into projections.web_keys1 values ('${INSTANCE}', '320000000000000001', 2, ${cryptoValue('oidcKey', dataKey, jwk)});`;
  }
  if (kind === 'private key') {
    const pem = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString();
    return `insert into projections.keys4_private values ('320000000000000002', '${INSTANCE}', now(), ${cryptoValue('oidcKey', dataKey, pem)});`;
  }
  if (kind === 'none') return '';
  return `insert into projections.targets2 values ('320000000000000003', '${INSTANCE}', 'hook', ${cryptoValue('targetKey', dataKey, 'Zx8kQ2mLr5TnVw3BpYc7DfHs9GjKa4Ne6RtU')});`;
}

function cryptoValue(keyId: string, key: Buffer, plain: string): string {
  const value = {
    KeyID: keyId,
    Crypted: encrypted(key, Buffer.from(plain)).toString('base64'),
    Algorithm: 'aes',
    CryptoType: 0,
  };
  return text(JSON.stringify(value));
}

/** AES-256-CFB with the initialisation vector in front. */
function encrypted(key: Buffer, plain: Buffer): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cfb', key, iv);
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]);
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
