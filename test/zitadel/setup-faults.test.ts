import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { spawnSallyport } from '../support/sallyport.ts';
import { FULL } from '../support/scale.ts';
import {
  isCommand,
  openSetupGround,
  Result,
  SECRETS,
  shapeOf,
  WANTED,
  type SetupGround,
} from './setup-ground.ts';

let ground: SetupGround;
afterEach(() => ground.close());

const setup = (...more: readonly string[]): readonly string[] => [
  ...['setup', '--file', ground.file('setup.json'), '--out', ground.file('out.env')],
  ...more,
];

/** The instance after an undisturbed set-up, and how many commands that took. */
async function undisturbed(): Promise<{ readonly shape: unknown; readonly commands: number }> {
  let commands = 0;
  ground = await openSetupGround({
    intercept: (request) => {
      if (isCommand(request)) commands += 1;
      return undefined;
    },
  });
  await ground.run(setup());
  const shape = shapeOf(ground.zitadel);
  await ground.close();
  return { shape, commands };
}

/** In full every step is disturbed, in one of two ways by turns; else one step in each way. */
function sampled(commands: number, way: 'lost' | 'killed'): readonly number[] {
  const one = way === 'lost' ? 7 : 18;
  const all = Array.from({ length: commands }, (_, at) => at + 1);
  return FULL ? all.filter((at) => at % 2 === one % 2) : [one];
}

/** Opens the ground, and sends a set-up the signal when it gives its `at`th command. */
async function signalled(signal: 'SIGKILL' | 'SIGINT', at: number) {
  let seen = 0;
  const pids: number[] = [];
  ground = await openSetupGround({
    intercept: (request) => {
      if (isCommand(request)) seen += 1;
      if (seen === at) for (const pid of pids.splice(0)) process.kill(pid, signal);
      return undefined;
    },
  });
  const { zitadel } = ground;
  const variables = {
    ...SECRETS,
    ZITADEL_API_URL: zitadel.url,
    ZITADEL_SERVICE_TOKEN: zitadel.token,
    BACKUP_DIR: ground.file('backups'),
  };
  const child = spawnSallyport(variables, 'zitadel', ...setup('--json'));
  pids.push(child.pid!);
  const [stdout] = await Promise.all([text(child.stdout!), once(child, 'close')]);
  return { stdout, exitCode: child.exitCode, signalCode: child.signalCode };
}

describe('zitadel setup, disturbed', () => {
  it('whose answer is lost in any step goes on when it is run again, and ends in the same state without doubles', async () => {
    const { shape, commands } = await undisturbed();
    expect(commands).toBeGreaterThan(30);
    for (const lost of sampled(commands, 'lost')) {
      let seen = 0;
      let carryOut: (request: Request) => Promise<unknown> = () => Promise.resolve();
      ground = await openSetupGround({
        // The command is carried out, and its answer never comes.
        intercept: async (request) => {
          if (!isCommand(request)) return undefined;
          seen += 1;
          if (seen !== lost) return undefined;
          await carryOut(request.clone());
          return new Response('cut', { status: 504 });
        },
      });
      const { url } = ground.zitadel;
      carryOut = async (request) => {
        await fetch(url + new URL(request.url).pathname, {
          ...{ method: request.method, headers: request.headers },
          ...(request.body !== null && { body: await request.text() }),
        });
      };
      const cut = await ground.run(setup());
      expect([lost, cut.code]).toEqual([lost, 1]);
      expect(cut.result.error).toContain('Run the same command again');
      const again = await ground.run(setup());
      expect([lost, again.code, again.result.error]).toEqual([lost, 0, undefined]);
      expect([lost, shapeOf(ground.zitadel)]).toEqual([lost, shape]);
      const file = ground.read('out.env');
      expect(file).not.toContain('being made');
      const third = await ground.run(setup());
      expect([lost, third.code, third.result.changed]).toEqual([lost, 0, 0]);
      expect(third.result.unchecked.join('\n')).not.toContain('--renew');
      await ground.close();
    }
    ground = await openSetupGround();
  });

  it('killed before or in any step goes on when it is run again', async () => {
    const { shape, commands } = await undisturbed();
    for (const kill of sampled(commands, 'killed')) {
      const { signalCode } = await signalled('SIGKILL', kill);
      const { zitadel } = ground;
      expect([kill, signalCode]).toEqual([kill, 'SIGKILL']);
      const again = await ground.run(setup());
      expect([kill, again.code, again.result.error]).toEqual([kill, 0, undefined]);
      expect([kill, shapeOf(zitadel)]).toEqual([kill, shape]);
      expect((await ground.run(setup())).result).toMatchObject({ changed: 0 });
      await ground.close();
    }
    ground = await openSetupGround();
  });

  it('interrupted in the middle says what is done and what is left, and goes on when it is run again', async () => {
    const { stdout, exitCode } = await signalled('SIGINT', 10);
    expect(exitCode).toBe(130);
    const result = Result.parse(JSON.parse(stdout));
    expect([result.ok, result.error]).toEqual([false, expect.stringContaining('interrupted')]);
    expect([result.done.length > 5, result.left.length > 5]).toEqual([true, true]);
    const again = await ground.run(setup());
    expect([again.code, again.result.error]).toEqual([0, undefined]);
    expect(again.result.done.length).toBeLessThanOrEqual(result.left.length);
  });

  it('makes no doubles where lists lag behind, and ends', async () => {
    const { shape } = await undisturbed();
    ground = await openSetupGround({ lag: true });
    const first = await ground.run(setup());
    expect([first.code, first.result.error, shapeOf(ground.zitadel)]).toEqual([0, undefined, shape]);
    const file = ground.read('out.env');
    const second = await ground.run(setup());
    expect([second.code, second.result.done, shapeOf(ground.zitadel)]).toEqual([0, [], shape]);
    expect(ground.read('out.env')).toBe(file);
  });

  it('keeps the secrets that --out holds where the lists of a second run are old', async () => {
    ground = await openSetupGround({ lag: true });
    await ground.run(setup());
    const file = ground.read('out.env');
    // Each list is as old as before the command; nothing of the set-up is in it.
    const { settings } = ground.zitadel;
    const { now } = settings;
    const [apps, pats] = [new Map(now.apps), [...now.pats]];
    now.apps.clear();
    now.pats.splice(0);
    settings.beforeCommand();
    for (const [id, all] of apps) now.apps.set(id, all);
    now.pats.push(...pats);
    const second = await ground.run(setup());
    expect([second.code, second.result.error]).toEqual([0, undefined]);
    expect(ground.read('out.env')).toBe(file);
    expect(now.pats).toHaveLength(2);
  });

  it('goes on with a secret that was being renewed when its answer was lost', async () => {
    let lose = false;
    let carryOut: (request: Request) => Promise<unknown> = () => Promise.resolve();
    ground = await openSetupGround({
      intercept: async (request) => {
        if (!lose || !request.url.endsWith('_generate_client_secret')) return undefined;
        lose = false;
        await carryOut(request);
        return new Response('cut', { status: 504 });
      },
    });
    const { url } = ground.zitadel;
    carryOut = (request) =>
      fetch(url + new URL(request.url).pathname, { method: 'POST', headers: request.headers, body: '{}' });
    await ground.run(setup());
    const before = ground.read('out.env');
    lose = true;
    expect((await ground.run(setup('--renew', 'ZITADEL_CLIENT_SECRET'))).code).toBe(1);
    const again = await ground.run(setup());
    expect(again.result.done.map(({ what }) => what)).toEqual(['client secret of auth-gateway']);
    expect(ground.read('out.env')).not.toBe(before);
    expect((await ground.run(setup())).result.changed).toBe(0);
  });

  // That it gives up on one that stays away is a promise of its client.
  it('waits for a server that has just started', async () => {
    let refusals = 6;
    ground = await openSetupGround({
      intercept: () =>
        refusals-- > 0 ? Response.json({ code: 14, message: 'not ready' }, { status: 503 }) : undefined,
    });
    expect((await ground.run(setup())).code).toBe(0);
  });

  it('says what Zitadel refuses in which step, what is done, and goes on once it is mended', async () => {
    ground = await openSetupGround();
    ground.write('setup.json', {
      ...WANTED,
      targets: [{ name: 'sallyport', endpoint: 'http://192.0.2.1/x' }],
    });
    const refused = await ground.run(setup());
    expect(refused.code).toBe(1);
    expect(refused.result.error).toMatch(/target sallyport: .*COMMAND-NcJUKo.*/s);
    expect(refused.result.left.length).toBeGreaterThan(0);
    ground.write('setup.json', {
      ...WANTED,
      targets: [{ name: 'sallyport' }],
    });
    expect((await ground.run(setup())).code).toBe(0);
    expect(ground.zitadel.settings.now.targets).toHaveLength(1);
  });

  it('is refused while another one is under way', async () => {
    let running: ReturnType<SetupGround['run']> | undefined;
    ground = await openSetupGround({
      intercept: async (request) => {
        if (running !== undefined || !isCommand(request)) return undefined;
        running = ground.run(setup());
        await running;
        return undefined;
      },
    });
    expect((await ground.run(setup())).code).toBe(0);
    const second = await running!;
    expect(second.code).toBe(1);
    expect(second.result.error).toContain('under way');
  });
});
