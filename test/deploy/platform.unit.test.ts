import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { advisoriesFor, type Product } from '../../cli/doctor/advisories.ts';
import { URGENT } from '../../shared/figures/alarms.ts';

const FOLDER = 'deploy/kubernetes';
const Named = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).optional() }),
});
const manifests = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((name) => parseAllDocuments(readFileSync(`${FOLDER}/${name}`, 'utf8')))
  .map((document) => Named.parse(document.toJS()));
const named = (kind: string, name: string) =>
  manifests.find((each) => each.kind === kind && each.metadata.name === name);

const Resources = z.object({
  requests: z.object({ cpu: z.string(), memory: z.string() }),
  limits: z.object({ memory: z.string() }),
});
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  securityContext: z.object({
    readOnlyRootFilesystem: z.literal(true),
    allowPrivilegeEscalation: z.literal(false),
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  resources: Resources,
});
const Probed = z.looseObject({ livenessProbe: z.object({}), readinessProbe: z.object({}) });
const Pod = z.looseObject({
  automountServiceAccountToken: z.boolean(),
  securityContext: z.looseObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.number().min(1),
    seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
  }),
  initContainers: z.array(Container).optional(),
  containers: z.array(Container).min(1),
});
const Template = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()) }),
  spec: Pod,
});
const Workload = z.object({ spec: z.object({ template: Template }) });
const Scheduled = z.object({ spec: z.object({ jobTemplate: Workload }) });

const SERVING = ['Deployment', 'StatefulSet'];
const workloads = manifests
  .filter(({ kind }) => [...SERVING, 'Job', 'CronJob'].includes(kind))
  .map((manifest) => ({ manifest, label: `${manifest.kind} ${manifest.metadata.name}` }));
type Manifest = (typeof manifests)[number];

function templateOf(manifest: Manifest): z.output<typeof Template> {
  const workload = manifest.kind === 'CronJob' ? Scheduled.parse(manifest).spec.jobTemplate : manifest;
  return Workload.parse(workload).spec.template;
}

const containersOf = (manifest: Manifest) => {
  const { containers, initContainers = [] } = templateOf(manifest).spec;
  return [...initContainers, ...containers];
};

describe('every workload of deploy/kubernetes', () => {
  it.each(workloads)('$label runs without root, read-only, with resources', ({ manifest }) => {
    const parse = () => templateOf(manifest);
    expect(parse).not.toThrow();
  });

  it.each(workloads)('$label has a pinned image in each container', ({ manifest }) => {
    const images = containersOf(manifest)
      .map(({ image }) => image)
      // deploy.sh fills it in.
      .filter((image) => image !== 'IMAGE');
    for (const image of images) expect(image).toMatch(/:v?\d+\.\d+\.\d+[\w.-]*$/);
  });

  it.each(workloads)('$label sees no token of the API server that it does not use', ({ manifest }) => {
    const { automountServiceAccountToken } = templateOf(manifest).spec;
    expect(automountServiceAccountToken).toBe(manifest.metadata.name === 'zitadel-setup');
  });

  it.each(workloads.filter(({ manifest }) => SERVING.includes(manifest.kind)))(
    '$label is probed for life and for traffic',
    ({ manifest }) => {
      for (const container of templateOf(manifest).spec.containers)
        expect(Probed.safeParse(container).error).toBeUndefined();
    },
  );

  it.each(workloads)('$label is reached by no pod that a NetworkPolicy does not name', ({ manifest }) => {
    const { labels } = templateOf(manifest).metadata;
    const selectors = manifests
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map((policy) =>
        z
          .object({
            spec: z.object({ podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }) }),
          })
          .parse(policy),
      )
      .map(({ spec }) => Object.entries(spec.podSelector.matchLabels));
    expect(selectors.some((pairs) => pairs.every(([key, value]) => labels[key] === value))).toBe(true);
  });

  const several = workloads.filter(
    ({ manifest }) =>
      z.object({ spec: z.object({ replicas: z.number().min(2) }) }).safeParse(manifest).success,
  );
  it.each(several)('$label keeps serving while machines are drained', ({ manifest }) => {
    expect(named('PodDisruptionBudget', manifest.metadata.name)).toBeDefined();
  });
});

describe('deploy/kubernetes', () => {
  it('names only Secrets and ConfigMaps that it has, or that another of its parts makes', () => {
    const made = [
      // deploy.sh; cert-manager.yaml; CloudNativePG; `sallyport zitadel setup`.
      ...['sallyport-rules', 'RULES', 'zitadel-login-service-key', 'postgres-ca', 'zitadel-login-client'],
      ...manifests
        .filter(({ kind }) => ['Secret', 'ConfigMap'].includes(kind))
        .map((each) => each.metadata.name),
    ];
    const Refs =
      /"(?:secretRef|configMapRef|configMapKeyRef|configMap|secret|credentials|passwordSecret)":\{[^{}]*?"(?:name|secretName)":"([^"]+)"/g;
    const used = [...JSON.stringify(manifests).matchAll(Refs)].map(([, name]) => name);
    expect(used.length).toBeGreaterThan(15);
    expect(used.filter((name) => name !== undefined && !made.includes(name))).toEqual([]);
  });

  it('holds no credential: what secrets carry is empty, a placeholder, or an address without a password', () => {
    const values = manifests
      .filter(({ kind }) => kind === 'Secret')
      .flatMap((secret) => Object.entries(z.record(z.string(), z.string()).parse(secret['stringData'])));
    expect(values.length).toBeGreaterThan(20);
    const given = values.filter(
      ([, value]) => value !== '' && !/^(?:redis|postgres):\/\/[^:@]*@?[^@]*$/.test(value),
    );
    expect(given.map(([key]) => key)).toEqual(['username', 'username', 'username']);
  });

  it('tells callers apart behind its ingress, and refuses bodies at one size', () => {
    const { data } = z
      .object({ data: z.record(z.string(), z.string()) })
      .parse(named('ConfigMap', 'sallyport'));
    const { annotations } = z
      .object({ annotations: z.record(z.string(), z.string()) })
      .parse(named('Ingress', 'sallyport')?.metadata);
    expect(data['TRUSTED_PROXIES']).toMatch(/^[\d./]+$/);
    expect(annotations['nginx.ingress.kubernetes.io/proxy-body-size']).toBe('10m');
    expect(Number(data['MAX_BODY_BYTES'])).toBe(10 * 1024 * 1024);
  });

  it('runs Zitadel and Login v2 at one version, and OpenFGA at the one that tests run', () => {
    const images = workloads.flatMap(({ manifest }) => containersOf(manifest).map(({ image }) => image));
    const versions = (of: string) =>
      new Set(images.filter((image) => image.startsWith(of)).map((image) => image.split(':')[1]));
    expect(
      new Set([...versions('ghcr.io/zitadel/zitadel:'), ...versions('ghcr.io/zitadel/zitadel-login:')]).size,
    ).toBe(1);
    const [, installed] = /OPENFGA=\S+@(\S+)/.exec(readFileSync('scripts/install-services.sh', 'utf8')) ?? [];
    expect([...versions('openfga/openfga:')]).toEqual([installed]);
  });

  it('alerts on every alarm of the gateway once, urgently on those that something stands still for', () => {
    const rules = readFileSync(`${FOLDER}/monitoring.yaml`, 'utf8');
    const [urgent, others] = ['=~', '!~'].map(
      (operator) => rules.split(`sallyport_alarm{alarm${operator}"`)[1]?.split('"})')[0],
    );
    expect(new Set(urgent?.split('|'))).toEqual(URGENT);
    expect(others).toBe(urgent);
  });

  it.each(['deploy/kubernetes', 'deploy/compose'])(
    'runs nothing in %s that a known advisory affects',
    (folder) => {
      const images = readdirSync(folder)
        .filter((name) => name.endsWith('.yaml'))
        .flatMap((name) => [
          ...readFileSync(`${folder}/${name}`, 'utf8').matchAll(
            /\b(zitadel|zitadel-login|openfga|redis|postgres|postgresql):v?(\d+(?:\.\d+)+)/g,
          ),
        ]);
      const PRODUCTS = { 'zitadel-login': 'zitadel', postgresql: 'postgres' } as const;
      expect(images.length).toBeGreaterThan(5);
      const affected = images.flatMap(([image, name = '', version = '']) => {
        const product = name in PRODUCTS ? PRODUCTS[name as keyof typeof PRODUCTS] : (name as Product);
        return (advisoriesFor(product, version) ?? []).map(({ id }) => `${image}: ${id}`);
      });
      expect(affected).toEqual([]);
    },
  );

  it('alerts on a backup that is late by the name of the CronJob that makes it', () => {
    const rules = readFileSync(`${FOLDER}/monitoring.yaml`, 'utf8');
    const jobs = [...rules.matchAll(/cronjob="([^"]+)"/g)].map(([, name = '']) => name);
    expect(jobs).toEqual(['sallyport-backup', 'sallyport-backup-verify']);
    for (const name of jobs) expect(named('CronJob', name)).toBeDefined();
  });
});
