import { readFileSync, readdirSync } from 'node:fs';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { validatorOf } from './crd-schema.ts';

const FOLDER = 'deploy/kubernetes';
const Typed = z.looseObject({ apiVersion: z.string(), kind: z.string() });
type Manifest = z.infer<typeof Typed>;

const manifests = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((name) =>
    parseAllDocuments(readFileSync(`${FOLDER}/${name}`, 'utf8')).map((document) => {
      const manifest = Typed.parse(document.toJS());
      return { label: `${name}: ${manifest.kind}`, manifest };
    }),
  );

/** Groups whose definitions come from their own sources, for want of a package; of others there are validators and types. */
const BY_DEFINITION = ['postgresql.cnpg.io', 'cert-manager.io'];

const groupOf = ({ apiVersion }: Manifest): string => apiVersion.split('/')[0] ?? '';
const typed = manifests.filter(({ manifest }) => !BY_DEFINITION.includes(groupOf(manifest)));
const defined = manifests.filter(({ manifest }) => BY_DEFINITION.includes(groupOf(manifest)));

function definitionOf(manifest: Manifest) {
  const [, version = ''] = manifest.apiVersion.split('/');
  return validatorOf(`${groupOf(manifest)}_${manifest.kind.toLowerCase()}s.yaml`, version);
}

/** The module of a kind: its validator and its type, both generated from the API's OpenAPI schema. */
function moduleOf(manifest: Manifest): string {
  const custom = groupOf(manifest) === 'monitoring.coreos.com';
  return `${custom ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${manifest.apiVersion}/${manifest.kind}`;
}

/** Of the API's types: parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the types refuse: unknown fields too, which the schema by itself lets pass and an API server does not. */
function refusedByTypes(all: readonly Manifest[]): string[] {
  const source = all
    .map(
      (manifest, n) =>
        `import type { I${manifest.kind} as T${n} } from '${moduleOf(manifest)}';\nexport const m${n}: T${n} = ${JSON.stringify(manifest)};`,
    )
    .join('\n');
  const file = 'manifests.in-memory.ts';
  const options: ts.CompilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) => {
    if (name === file) return ts.createSourceFile(name, source, ts.ScriptTarget.ES2022);
    if (!parsed.has(name)) parsed.set(name, read(name, ...rest));
    return parsed.get(name);
  };
  const exists = host.fileExists.bind(host);
  host.fileExists = (name) => name === file || exists(name);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

const Validating = z.custom<new (data: Manifest) => { validate(): void }>(
  (value) => typeof value === 'function',
);

async function refusedBySchema(manifest: Manifest): Promise<string | undefined> {
  const module = z.record(z.string(), z.unknown()).parse({ ...(await import(moduleOf(manifest))) });
  const Kind = Validating.parse(module[manifest.kind]);
  try {
    new Kind(manifest).validate();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

describe('the Kubernetes manifests', () => {
  let refused: string[];
  beforeAll(() => {
    refused = refusedByTypes(typed.map(({ manifest }) => manifest));
  });

  it.each(typed)('$label is what the API server takes', async ({ manifest }) => {
    expect(await refusedBySchema(manifest)).toBeUndefined();
  });

  it('have no field that the API does not know', () => {
    expect(refused).toEqual([]);
  });

  const some = (kind: string) => manifests.find(({ manifest }) => manifest.kind === kind)!.manifest;
  const missing = defined.some(({ manifest }) => definitionOf(manifest) === undefined);
  describe.skipIf(missing)('of CloudNativePG and cert-manager', () => {
    it.each(defined)('$label is what its definition takes, and has no other field', ({ manifest }) => {
      const validate = definitionOf(manifest)!;
      validate(manifest);
      expect(validate.errors ?? []).toEqual([]);
    });

    it.each([
      ['Cluster', { instnaces: 3 }],
      ['Cluster', { instances: 'three' }],
      ['Cluster', { storage: { sise: '1Gi' } }],
      ['Cluster', { managed: { roles: [{ name: 'zitadel', logn: true }] } }],
      ['Certificate', { durration: '1h' }],
      ['Certificate', { privateKey: { size: '2048' } }],
      ['ClusterIssuer', { acme: { email: 'operations@example.org' } }],
    ])('a %s with %j would not pass', (kind, broken) => {
      const manifest = some(kind);
      const validate = definitionOf(manifest)!;
      expect(validate({ ...manifest, spec: { ...(manifest['spec'] as object), ...broken } })).toBe(false);
    });
  });

  it('would not pass with a misspelled field, a wrong type or without what is required', async () => {
    const deployment = manifests.find(({ manifest }) => manifest.kind === 'Deployment')!.manifest;
    const spec = deployment['spec'] as Record<string, unknown>;
    expect(refusedByTypes([{ ...deployment, spec: { ...spec, replicsa: 3 } }])).toEqual([
      expect.stringContaining('replicsa'),
    ]);
    expect(await refusedBySchema({ ...deployment, spec: { ...spec, replicas: 'three' } })).toContain(
      'replicas',
    );
    expect(await refusedBySchema({ ...deployment, spec: { ...spec, selector: undefined } })).toContain(
      'selector',
    );
  });

  it('of the Prometheus operator would not pass with a misspelled field either', () => {
    const monitor = some('PodMonitor');
    const spec = { ...(monitor['spec'] as object), podMetricsEndpoint: [] };
    expect(refusedByTypes([{ ...monitor, spec }])).toEqual([expect.stringContaining('podMetricsEndpoint')]);
  });

  it('alert on no metric that the bundle does not have', () => {
    const rules = readFileSync(`${FOLDER}/monitoring.yaml`, 'utf8');
    const named = new Set([...rules.matchAll(/\bsallyport_\w+/g)].map(([name]) => name));
    const sources = ['functions', 'shared']
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
      )
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    expect(named.size).toBeGreaterThan(3);
    expect([...named].filter((name) => !sources.includes(`'${name}'`))).toEqual([]);
  });
});
