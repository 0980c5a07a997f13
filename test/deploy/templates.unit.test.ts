import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { parseEnvironment } from '../../functions/configuration.ts';
import { VARIABLES } from '../../functions/catalogue.ts';

const FOLDERS = ['deploy/kubernetes', 'deploy/github', 'deploy/gitlab'];
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => `${folder}/${name}`),
);

function documents(file: string): unknown[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join('; ')}`);
    return document.toJS() as unknown;
  });
}

const Named = z.looseObject({ kind: z.string(), metadata: z.object({ name: z.string() }) });
const manifests = ['gateway.yaml', 'secret.example.yaml', 'command-job.yaml'].flatMap((name) =>
  documents(`deploy/kubernetes/${name}`).map((manifest) => Named.parse(manifest)),
);
const manifest = (kind: string, name = 'sallyport') =>
  manifests.find((each) => each.kind === kind && each.metadata.name === name);

const text = z.record(z.string(), z.string());
const settings = z.object({ data: text }).parse(manifest('ConfigMap')).data;
const secrets = z.object({ stringData: text }).parse(manifest('Secret')).stringData;

const Container = z.object({
  securityContext: z.object({
    readOnlyRootFilesystem: z.literal(true),
    allowPrivilegeEscalation: z.literal(false),
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
  }),
});
const Pod = z.object({
  automountServiceAccountToken: z.literal(false),
  securityContext: z.looseObject({ runAsNonRoot: z.literal(true), runAsUser: z.number().min(1) }),
  containers: z.array(Container).min(1),
});
const Workload = z.object({ spec: z.object({ template: z.object({ spec: Pod }) }) });
const httpGet = (path: string) => z.object({ httpGet: z.object({ path: z.literal(path) }) });
const Probed = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(
          z.object({ livenessProbe: httpGet('/health'), readinessProbe: httpGet('/ready') }),
        ),
      }),
    }),
  }),
});

describe('the deployment templates', () => {
  it.each(FILES)('%s is YAML', (file) => {
    expect(documents(file).length).toBeGreaterThan(0);
  });

  it('name no variable that the bundle does not read', () => {
    const known = [...VARIABLES.keys()];
    expect(known).toEqual(expect.arrayContaining([...Object.keys(settings), ...Object.keys(secrets)]));
  });

  it('start a production gateway once the secret is filled in', () => {
    const filled = { ...secrets, OPENFGA_STORE_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV', ASSERTION_KEYS: 'off' };
    const parsed = parseEnvironment({ ...settings, ...filled }, 'node');
    expect(parsed.ok ? [] : parsed.faults).toEqual([]);
  });

  it.each([
    ['Deployment', 'sallyport'],
    ['Job', 'NAME'],
  ])('run the %s without root, on a read-only file system, without privileges', (kind, name) => {
    expect(Workload.safeParse(manifest(kind, name)).error).toBeUndefined();
  });

  it('probe /health for life and /ready for traffic', () => {
    expect(Probed.safeParse(manifest('Deployment')).error).toBeUndefined();
  });

  it('take the variables of a Workers pipeline by the names the commands read', () => {
    const [workflow] = documents('deploy/github/workers.yml');
    const { jobs } = z.object({ jobs: z.object({ deploy: z.object({ env: text }) }) }).parse(workflow);
    const own = Object.keys(jobs.deploy.env).filter((name) => !name.startsWith('CLOUDFLARE_'));
    expect([...VARIABLES.keys()]).toEqual(expect.arrayContaining(own));
    expect(own).toEqual(expect.arrayContaining(['OPENFGA_URL', 'OPENFGA_STORE_ID', 'DATABASE_URL']));
  });

  it('build images on Node 20 that run as another user than root, the gateway by default', () => {
    const containerfile = readFileSync('deploy/Containerfile', 'utf8');
    expect(containerfile.match(/^FROM .*$/gm)).toEqual([
      'FROM node:20-slim AS build',
      'FROM scratch AS app',
      'FROM node:20-trixie-slim AS operations',
      'FROM node:20-slim',
    ]);
    expect(containerfile.match(/^USER node$/gm)).toHaveLength(2);
    expect(containerfile).toMatch(/dist\/node\.js"\]$/m);
  });
});
