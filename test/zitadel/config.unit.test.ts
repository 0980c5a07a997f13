import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { zitadelClient } from '../../cli/zitadel/api/client.ts';
import { planImport } from '../../cli/zitadel/config/apply.ts';
import { readFolder, toFiles, writeFolder } from '../../cli/zitadel/config/files.ts';
import { Instance, Organization, type Configuration } from '../../cli/zitadel/config/model.ts';
import { OutFile } from '../../cli/zitadel/setup/out.ts';
import type { ZitadelCall } from '../../shared/ports/zitadel-api.ts';

const ORIGIN = 'https://auth.example.org';
const LOGIN = { settings: {}, secondFactors: [], multiFactors: [], idps: [] };

function instance(more: object = {}): Instance {
  return Instance.parse({ login: LOGIN, ...more });
}

function organization(name: string, more: object = {}): Organization {
  return Organization.parse({ name, isDefault: false, ...more });
}

const script = (name: string) => ({ name, timeout: '10s', allowedToFail: false, script: `of ${name}` });

const folders: string[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const each of folders.splice(0)) rmSync(each, { recursive: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
  folders.push(folder);
  return folder;
}

describe('files of a configuration', () => {
  it('hold every name, also those that a file system does not take or tell apart', async () => {
    const configuration: Configuration = {
      instance: instance(),
      organizations: [
        organization('..', { actions: [script('a$b'), script('a_b'), script('A_b')] }),
        organization('a/b "quoted" \n line'),
        organization('組'.repeat(200)),
        organization('組'.repeat(199) + '織'),
        organization('Ümläut'),
        organization('ümläut'),
      ],
    };
    const folder = newFolder();
    await writeFolder(folder, toFiles(configuration, ORIGIN));
    const read = await readFolder(folder, ORIGIN);
    const byName = (all: readonly Organization[]) => new Map(all.map((each) => [each.name, each]));
    expect(byName(read.organizations)).toEqual(byName(configuration.organizations));
  });

  it('replace those of an earlier export, and never folders that are none', async () => {
    const folder = newFolder();
    const files = toFiles({ instance: instance(), organizations: [organization('One')] }, ORIGIN);
    mkdirSync(join(folder, 'organizations'));
    writeFileSync(join(folder, 'organizations', 'people.csv'), 'mine');
    await expect(writeFolder(folder, files)).rejects.toThrow('not of an earlier export');
    rmSync(join(folder, 'organizations'), { recursive: true });
    await writeFolder(folder, files);
    await writeFolder(
      folder,
      toFiles({ instance: instance(), organizations: [organization('Two')] }, ORIGIN),
    );
    expect((await readFolder(folder, ORIGIN)).organizations.map(({ name }) => name)).toEqual(['Two']);
  });
});

/** Calls that an import makes at an instance. */
async function carried(there: Instance, wanted: Instance, ids: Readonly<Record<string, string>>) {
  const calls: ZitadelCall[] = [];
  const client = zitadelClient({
    ...{ url: ORIGIN, token: 't' },
    api: (call) => {
      calls.push(call);
      return Promise.resolve({ outcome: 'ok', body: { id: 'new' } });
    },
  });
  const read = {
    configuration: { instance: there, organizations: [] },
    ids: new Map(Object.entries(ids)),
    signingKeys: new Map(),
    notes: [],
  };
  const { steps } = planImport({ client, out: await OutFile.open(undefined) }, read, {
    instance: wanted,
    organizations: [],
  });
  for (const step of steps) await step.run();
  return calls.map(({ method, path }) => `${method} ${path}`);
}

describe('an import', () => {
  it('changes each provider by the method that its route takes', async () => {
    const idps = (clientId: string) =>
      ['gitlab', 'gitlab_self_hosted', 'github'].map((kind) => ({ kind, name: 'G', settings: { clientId } }));
    const ids = { 'idp gitlab G': '1', 'idp gitlab_self_hosted G': '2', 'idp github G': '3' };
    const there = instance({ idps: idps('old'), login: { ...LOGIN, idps: ['gitlab G', 'github G'] } });
    const calls = await carried(there, { ...there, idps: instance({ idps: idps('new') }).idps }, ids);
    expect(calls).toEqual([
      'POST /admin/v1/idps/gitlab/1',
      'POST /admin/v1/idps/gitlab_self_hosted/2',
      'PUT /admin/v1/idps/github/3',
    ]);
  });

  it('writes the secret of a provider that is to come on a sign-in page, and of no other', async () => {
    vi.stubEnv('GOOGLE_SECRET', 'google-sec-91bc');
    const google = {
      kind: 'google',
      name: 'G',
      settings: { clientId: '1' },
      secret: { env: 'GOOGLE_SECRET' },
    };
    const hidden = instance({ idps: [google] });
    const ids = { 'idp google G': '1' };
    expect(await carried(hidden, hidden, ids)).toEqual([]);
    const onPage = { ...hidden, login: { ...LOGIN, idps: ['google G'] } };
    expect(await carried(hidden, onPage, ids)).toEqual([
      'PUT /admin/v1/idps/google/1',
      'POST /admin/v1/policies/login/idps',
    ]);
    expect(await carried(onPage, onPage, ids)).toEqual([]);
  });

  it('changes the mail server that is meant, of several at one host', async () => {
    const mail = (...names: readonly string[]) =>
      names.map((name, at) => ({
        ...{ description: '', active: false },
        smtp: { host: 'smtp.example.org:587', senderAddress: `${at}@example.org`, senderName: name },
      }));
    const ids = {
      'mail server smtp.example.org:587 of 0@example.org': '10',
      'mail server smtp.example.org:587 of 1@example.org': '11',
    };
    const calls = await carried(instance({ mail: mail('A', 'B') }), instance({ mail: mail('C', 'B') }), ids);
    expect(calls).toEqual(['PUT /admin/v1/email/smtp/10']);
  });

  it('writes a text whole where the instance has more of it than the files', async () => {
    const texts = (text: object) => ({ texts: { 'message/init/en': text } });
    const there = instance(texts({ subject: 'Welcome', greeting: 'Hello' }));
    expect(await carried(there, instance(texts({ subject: 'Welcome' })), {})).toEqual([
      'PUT /admin/v1/text/message/init/en',
    ]);
  });
});
