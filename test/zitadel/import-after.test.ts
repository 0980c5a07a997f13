import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { postgresBinaries, postgresMissing } from '../services/postgres.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { openImportGround, type ImportGround } from './import-ground.ts';

const NEW = { people: 3, prefix: 'new' };
const OLD = { people: 2, prefix: 'old' };

interface Cluster {
  readonly calls: readonly string[];
  readonly workloads: readonly { readonly name: string; readonly replicas: number }[];
  readonly secrets: readonly { readonly name: string; readonly data: Readonly<Record<string, string>> }[];
}

const CLUSTER = {
  calls: [],
  holder: null as number | null,
  refuses: null as string | null,
  workloads: [
    {
      kind: 'StatefulSet',
      name: 'zitadel',
      labels: {},
      replicas: 3,
      image: 'ghcr.io/zitadel/zitadel:v4.13.1',
    },
    {
      kind: 'Deployment',
      name: 'zitadel-login-v2',
      labels: {},
      replicas: 2,
      image: 'ghcr.io/zitadel/zitadel-login:v4.13.1',
    },
    { kind: 'Deployment', name: 'shop', labels: {}, replicas: 1, image: 'example.org/shop:1' },
  ],
  secrets: [] as { name: string; data: Record<string, string> }[],
};

// Long because the steps after the swap share one server, one stand-in and one cluster.
describe.skipIf(postgresMissing)(
  'what follows the swap (stand-in of Zitadel; needs the postgresql package)',
  () => {
    let ground: ImportGround;
    let zitadel: Zitadel;
    /** What the stand-in answers instead of its own. */
    let instead: (path: string, request: Request) => Response | undefined;
    const asked: string[] = [];
    beforeAll(async () => {
      ground = await openImportGround();
      zitadel = await startZitadel({
        intercept: (request) => {
          const { pathname } = new URL(request.url);
          asked.push(`${request.method} ${pathname}`);
          return instead(pathname, request);
        },
      });
      await mkdir(join(ground.folder, 'bin'));
      await copyFile(
        fileURLToPath(new URL('kubectl.mjs', import.meta.url)),
        join(ground.folder, 'bin/kubectl'),
      );
      await chmod(join(ground.folder, 'bin/kubectl'), 0o755);
    });
    afterAll(async () => {
      await zitadel.close();
      await ground.close();
    });
    beforeEach(async () => {
      asked.length = 0;
      instead = (path) => (path === '/ui/v2/login/loginname' ? new Response('sign in') : undefined);
      await ground.reset(OLD);
    });

    const variables = () => ({
      ...ground.variables(),
      ZITADEL_API_URL: zitadel.url,
      ZITADEL_SERVICE_TOKEN: zitadel.token,
    });
    const stepsOf = (stdout: string) =>
      Object.fromEntries(
        (JSON.parse(stdout) as { steps: { name: string; says: string }[] }).steps.map(({ name, says }) => [
          name,
          says,
        ]),
      );

    it('waits for 401 of an admin route, checks tokens and Login v2, and signs a person in who is gone afterwards', async () => {
      let [starting, unknown, unchecked] = [2, 1, 1];
      instead = (path, request) => {
        if (path === '/ui/v2/login/loginname') return new Response('sign in');
        // As Zitadel answers for a second after it reports ready.
        if (path === '/admin/v1/instances/me' && !request.headers.has('authorization') && starting-- > 0)
          return Response.json({ code: 14, message: 'connection error' }, { status: 503 });
        // As it answers until its projections have what was just written.
        if (path === '/v2/sessions' && unknown-- > 0)
          return Response.json(
            { code: 5, message: 'User could not be found (QUERY-Dfbg2)' },
            { status: 404 },
          );
        if (path.startsWith('/v2/sessions/') && request.method === 'GET' && unchecked-- > 0)
          return Response.json({ session: {} });
        return undefined;
      };
      const { code, stdout, stderr } = await ground.import(
        variables(),
        await ground.dump('custom', NEW),
        '--to',
        'postgres',
        '--yes',
        '--json',
      );
      expect(code, stderr).toBe(0);
      const steps = stepsOf(stdout);
      expect(Object.keys(steps)).toEqual([
        'backup',
        'restore',
        'verify',
        'swap',
        'ready',
        'projections',
        'tokens',
        'login',
        'sign-in',
      ]);
      expect(steps['tokens']).toContain('ZITADEL_SERVICE_TOKEN works');
      expect(steps['login']).toContain('Login v2 is required, and answers at');
      expect(steps['sign-in']).toContain('signed in with its password, and was removed');
      expect(asked).toContain('POST /v2/sessions');
      expect(
        zitadel.users.named(`sallyport-import-${(JSON.parse(stdout) as { run: string }).run}`)?.state ??
          'removed',
      ).toBe('removed');
      expect(stdout + stderr).not.toContain(zitadel.token);
    });

    it('ends with the swap where ZITADEL_API_URL is not set, although the issuer is, and goes on once it is', async () => {
      const issuerOnly = { ...ground.variables(), ZITADEL_ISSUER_URL: 'http://localhost:9' };
      const swapped = await ground.import(
        issuerOnly,
        await ground.dump('custom', NEW),
        '--to',
        'postgres',
        '--yes',
        '--json',
      );
      expect(swapped.code, swapped.stderr).toBe(0);
      expect(
        (JSON.parse(swapped.stdout) as { remaining: { name: string }[] }).remaining.map(({ name }) => name),
      ).toEqual(['ready', 'projections', 'tokens', 'login', 'sign-in']);
      const { code, stdout, stderr } = await ground.import(variables(), '--resume', '--json');
      expect(code, stderr).toBe(0);
      expect(stepsOf(stdout)['sign-in']).toContain('signed in');
    });

    it('stops at a token that is not of the imported database, and at one without rights, and says which', async () => {
      const dump = await ground.dump('custom', NEW);
      const foreign = await ground.import(
        { ...variables(), ZITADEL_SERVICE_TOKEN: 'of-the-former-database' },
        dump,
        '--yes',
      );
      expect(foreign.code).toBe(1);
      expect(foreign.stderr).toMatch(/tokens: .*tokens of the dump are the ones that work/);
      expect(foreign.stderr).toMatch(
        /state: zitadel is the imported database, the former one is zitadel_before_/,
      );
      expect(foreign.stderr).not.toContain('of-the-former-database');
      instead = (path, request) =>
        path.startsWith('/admin/v1/') && request.headers.has('authorization')
          ? Response.json({ code: 7, message: 'No matching permissions found (AUTH-5mWD2)' }, { status: 403 })
          : undefined;
      const powerless = await ground.import(variables(), '--resume');
      expect(powerless.code).toBe(1);
      expect(powerless.stderr).toMatch(/lacks the right iam\.read/);
      instead = () => undefined;
      const { code, stdout, stderr } = await ground.import(variables(), '--resume', '--json');
      expect(code, stderr).toBe(0);
      expect(stepsOf(stdout)['login']).toMatch(/Login v2 is required, and does not answer/);
    });

    it('gives up on a Zitadel that does not start in time', async () => {
      const { code, stderr } = await ground.import(
        { ...variables(), ZITADEL_API_URL: 'http://127.0.0.1:9' },
        await ground.dump('custom', NEW),
        '--yes',
        '--wait',
        '1',
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(/ready: http:\/\/127\.0\.0\.1:9 does not answer as Zitadel does/);
      expect(await ground.people()).toBe('new-1,new-2,new-3');
    });

    describe('in a cluster (kubectl is a shim)', () => {
      const stateFile = () => join(ground.folder, 'cluster.json');
      const cluster = async () => JSON.parse(await readFile(stateFile(), 'utf8')) as Cluster;
      const replicas = async () =>
        Object.fromEntries((await cluster()).workloads.map((each) => [each.name, each.replicas]));
      const inCluster = () => ({
        ...variables(),
        PATH: `${join(ground.folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
        SHIM_STATE: stateFile(),
        KUBE_NAMESPACE: 'identity',
        KUBE_CONTEXT: 'staging',
      });
      const set = (change: Partial<typeof CLUSTER>) =>
        writeFile(stateFile(), JSON.stringify({ ...CLUSTER, ...change }));
      const RUNNING = { zitadel: 3, 'zitadel-login-v2': 2, shop: 1 };

      /** Zitadel's session of its database: it ends when Zitadel is scaled to 0. */
      async function holder(): Promise<number> {
        const child = spawn(
          join(postgresBinaries, 'psql'),
          ['-XAtq', ground.variables()['ZITADEL_DATABASE_URL']!],
          { stdio: ['pipe', 'pipe', 'ignore'] },
        );
        child.stdin.write("select 'connected';\n");
        await once(child.stdout, 'data');
        return child.pid!;
      }

      it('scales Zitadel and Login v2 down and up in order, and nothing else; the secret of the login client stays while it is taken', async () => {
        const secret = {
          name: 'zitadel-login-client',
          data: { pat: Buffer.from(`${zitadel.token}\n`).toString('base64') },
        };
        await set({ holder: await holder(), secrets: [secret] });
        const { code, stdout, stderr } = await ground.import(
          inCluster(),
          await ground.dump('custom', NEW),
          '--yes',
          '--json',
        );
        expect(code, stderr).toBe(0);
        expect(stepsOf(stdout)['secrets']).toContain('kept');
        const { calls, secrets } = await cluster();
        expect(secrets).toEqual([secret]);
        expect(await replicas()).toEqual(RUNNING);
        expect(calls.every((call) => call.endsWith('--namespace=identity --context=staging'))).toBe(true);
        expect(
          calls
            .filter((call) => /^(?:scale|rollout)/.test(call))
            .map((call) =>
              call
                .split(' ')
                .slice(0, 3)
                .join(' ')
                .replace(/ --timeout.*/, ''),
            ),
        ).toEqual([
          'scale deployment/zitadel-login-v2 --replicas=0',
          'scale statefulset/zitadel --replicas=0',
          'scale statefulset/zitadel --replicas=3',
          'rollout status statefulset/zitadel',
          'scale deployment/zitadel-login-v2 --replicas=2',
          'rollout status deployment/zitadel-login-v2',
        ]);
        expect(calls.join('\n')).not.toContain(zitadel.token);
        expect(await ground.people()).toBe('new-1,new-2,new-3');
      });

      it('makes a new token for the login client where the imported Zitadel refuses the one in the secret, and shows it to nobody', async () => {
        await set({
          secrets: [
            {
              name: 'zitadel-login-client',
              data: { pat: Buffer.from('of-the-former-database').toString('base64'), other: 'AAAA' },
            },
          ],
        });
        const { code, stdout, stderr } = await ground.import(
          inCluster(),
          await ground.dump('custom', NEW),
          '--yes',
          '--json',
        );
        expect(code, stderr).toBe(0);
        const { calls, secrets } = await cluster();
        const [secret] = secrets;
        const token = Buffer.from(secret?.data['pat'] ?? '', 'base64').toString('utf8');
        expect(token).not.toBe('of-the-former-database');
        expect(secret?.data['other']).toBe('AAAA');
        for (const said of [stdout, stderr, calls.join('\n')]) expect(said).not.toContain(token);
      });

      it('starts Login v2 too where the API is not known, and restarts it for a new token once it is', async () => {
        const refused = [
          { name: 'login-client', data: { pat: Buffer.from('of-the-former').toString('base64') } },
        ];
        await set({ secrets: [...refused, { ...refused[0]!, name: 'zitadel-k8s-admin-sa' }] });
        const withoutApi = { ...inCluster(), ZITADEL_API_URL: '' };
        const swapped = await ground.import(withoutApi, await ground.dump('custom', NEW), '--yes', '--json');
        expect(swapped.code, swapped.stderr).toBe(0);
        expect(await replicas()).toEqual(RUNNING);
        const { code, stdout, stderr } = await ground.import(inCluster(), '--resume', '--json');
        expect(code, stderr).toBe(0);
        expect(stepsOf(stdout)['secrets']).toMatch(
          /login-client was refused .*a new token of .* is in it; warning: zitadel-k8s-admin-sa is refused/,
        );
        expect((await cluster()).calls.join('\n')).toMatch(
          /apply[^]*rollout restart deployment\/zitadel-login-v2/,
        );
      });

      it('changes nothing in the cluster with --dry-run, and names what kubectl is refused', async () => {
        await set({});
        const dump = await ground.dump('custom', NEW);
        const planned = await ground.import(inCluster(), dump, '--dry-run', '--json');
        expect(planned.code, planned.stderr).toBe(0);
        expect(JSON.parse(planned.stdout)).toMatchObject({
          target: {
            workloads: [
              { name: 'statefulset/zitadel', replicas: 3 },
              { name: 'deployment/zitadel-login-v2', replicas: 2 },
            ],
          },
        });
        expect((await cluster()).calls.every((call) => call.startsWith('get '))).toBe(true);
        await set({ refuses: 'scale' });
        const stopped = await ground.import(inCluster(), dump, '--yes');
        expect(stopped.code).toBe(1);
        expect(stopped.stderr).toMatch(/stop: kubectl ended with 1: Error from server \(Forbidden\)/);
        expect(stopped.stderr).toContain(
          'state: zitadel is the former database, untouched; Zitadel may be scaled to 0',
        );
        await set({});
        const back = await ground.import(inCluster(), 'recover', '--yes');
        expect(back.code, back.stderr).toBe(0);
        expect(await replicas()).toEqual(RUNNING);
        expect(await ground.people()).toBe('old-1,old-2');
      });

      it.each(['on', 'back'] as const)(
        'goes %s after a kill while Zitadel is scaled to 0, to as many replicas as there were',
        async (way) => {
          await set({ refuses: 'rollout' });
          // Cut off between the swap and the start: rollout fails, and the process is gone as after a kill.
          const child = spawnSallyport(
            inCluster(),
            'zitadel',
            'import',
            await ground.dump('custom', NEW),
            '--yes',
          );
          child.stderr!.setEncoding('utf8').on('data', (text: string) => {
            if (text.includes('✓ swap')) child.kill('SIGKILL');
          });
          await once(child, 'close');
          const { workloads } = await cluster();
          await writeFile(stateFile(), JSON.stringify({ ...CLUSTER, workloads }));
          const { code, stderr } = await ground.import(
            inCluster(),
            ...(way === 'on' ? ['--resume'] : ['recover', '--yes']),
          );
          expect(code, stderr).toBe(0);
          expect(await replicas()).toEqual(RUNNING);
          expect(await ground.people()).toBe(way === 'on' ? 'new-1,new-2,new-3' : 'old-1,old-2');
        },
      );
    });
  },
);
