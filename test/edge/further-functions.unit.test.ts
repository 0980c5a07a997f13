import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createApp, type App } from '../../functions/app.ts';
import { FURTHER, functionsOn, scheduleOf } from '../../functions/catalogue.ts';
import {
  CATALOGUE as RELEASED,
  openConfigured,
  parseEnvironment,
  type Catalogue,
} from '../../functions/configuration.ts';
import { standaloneJob } from '../../functions/jobs.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import { configure, slice } from '../../shared/configuration/slice.ts';
import { createDeps, openGround } from '../../shared/deps.ts';
import { starting, type Brought } from '../../shared/edge/function.ts';
import type { Database } from '../../shared/ports/database.ts';

const GREETINGS = {
  name: 'greetings',
  paths: ['/greetings', '/greetings/'],
  schedule: { 'greetings-prune': '15 4 * * *' },
  slice: slice({
    variables: { GREETING: z.string(), GREETING_RATE: z.string().optional() },
    examples: { GREETING: 'hello' },
    read: (v) => ({ greeting: v.GREETING }),
  }),
};

let closed = 0;

function greetings({ greeting }: { readonly greeting: string }): Brought {
  return {
    routes: [
      {
        path: '/greetings/',
        methods: ['GET', 'DELETE'],
        quota: { name: 'greetings', limit: 2, windowMs: 60_000 },
        answer: ({ url }) => new Response(`${greeting}, ${new URL(url).pathname.slice(11)}`),
      },
      { path: '/greetings/all', methods: ['GET'], quota: 'coarse', answer: () => new Response('all') },
    ],
    checks: [{ name: 'greetings', check: 'targets', needed: false, look: () => ({ up: true, state: 'up' }) }],
    jobs: { 'greetings-prune': { run: async () => ({ greeting }) } },
    close: () => void (closed += 1),
  };
}

const CATALOGUE: Catalogue = {
  further: { greetings: GREETINGS },
  starts: { greetings: starting(GREETINGS, (_deps, config) => greetings(config)) },
};

const USABLE = {
  UPSTREAM_URL: 'https://api.example.org',
  OPENFGA_URL: 'https://fga.example.org',
  OPENFGA_STORE_ID: '01J00000000000000000000000',
  ACCESS_RULES: '[{"path":"/*rest","method":"*","feature":"public_access"}]',
  OPENFGA_MODEL: 'off',
};

/** The app, or its faults; the API answers everything. */
function open(variables: Readonly<Record<string, string>>): App | readonly string[] {
  const log = { debug() {}, info() {}, warn() {}, error() {}, lines: undefined, flush() {} };
  const fetch = async () => new Response('the API');
  const platform = { ...createPlatform(), fetch, log: () => log };
  const raw = { ...USABLE, ...variables };
  const opened = openConfigured(
    raw,
    platform,
    (config) => createApp(createDeps(config, { platform }), () => '203.0.113.7'),
    CATALOGUE,
  );
  return opened.ok ? opened.value : opened.faults;
}

function running(variables: Readonly<Record<string, string>>) {
  const app = open(variables);
  if (!('own' in app)) throw new Error(app.join('\n'));
  const send = async (path: string, method = 'GET') => {
    const headers = { 'x-request-id': 'callers-own' };
    const answer = await app.fetch(new Request(`http://gateway.test${path}`, { method, headers }), {});
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  return { app, send };
}

it('every function of this release that FUNCTIONS can name has its way to start', () => {
  expect(Object.keys(RELEASED.starts)).toEqual(Object.keys(RELEASED.further));
});

describe('a function that FUNCTIONS does not name', () => {
  it('has no variables to miss, and its paths belong to the access rules', async () => {
    const { app, send } = running({});
    for (const path of ['/greetings', '/greetings/ada', '/greet%69ngs/ada'])
      expect(await send(path)).toMatchObject({ status: 200, text: 'the API' });
    expect(JSON.parse((await send('/ready')).text)).not.toHaveProperty('dependencies.greetings');
    await app.close();
    expect(closed).toBe(0);
  });

  it('leaves its schedule without a job, and unknown to nobody', () => {
    const off = parseEnvironment(USABLE, 'workers', CATALOGUE);
    expect(off).toMatchObject({ ok: true, config: { idle: ['15 4 * * *'] } });
    const on = parseEnvironment({ ...USABLE, FUNCTIONS: 'greetings', GREETING: 'x' }, 'workers', CATALOGUE);
    expect(on).toMatchObject({ ok: true, config: { idle: [] } });
  });

  it('still has its variables known by name, so that none is called a slip', () => {
    const parsed = parseEnvironment({ ...USABLE, GREETING_RATE: '1/1s' }, 'node', CATALOGUE);
    expect(parsed.ok && parsed.warnings.map(({ variable }) => variable)).not.toContain('GREETING_RATE');
    const slip = parseEnvironment({ ...USABLE, GREETINGRATE: '1/1s' }, 'node', CATALOGUE);
    expect(slip.ok && slip.warnings).toContainEqual({
      variable: 'GREETINGRATE',
      problem: 'is not read: is GREETING_RATE meant?',
    });
  });
});

describe('a function that FUNCTIONS names', () => {
  const on = { FUNCTIONS: 'greetings', GREETING: 'hello' };

  it('answers its paths before any rule, in the frame of every answer', async () => {
    const { app, send } = running(on);
    const answer = await send('/greetings/ada');
    expect(answer).toMatchObject({ status: 200, text: 'hello, ada' });
    expect(answer.headers.get('x-request-id')).toBe('callers-own');
    expect(answer.headers.get('ratelimit-policy')).toBe('"greetings";q=2;w=60');
    expect(await send('/greetings/ada', 'DELETE')).toMatchObject({ status: 200 });
    expect(await send('/greetings/ada')).toMatchObject({ status: 429 });
    expect(await send('/greetings/all')).toMatchObject({ status: 200, text: 'all' });
    expect(await send('/greetings/all', 'POST')).toMatchObject({ status: 405 });
    expect(await send('/greetings')).toMatchObject({ status: 404 });
    expect(await send('/greet%69ngs/ada')).toMatchObject({ status: 404 });
    expect(await send('/greetings/a%2fb')).toMatchObject({ status: 400 });
    expect(await send('/other')).toMatchObject({ status: 200, text: 'the API' });
    await app.close();
  });

  it('is among the checks of /ready, and closed with the bundle', async () => {
    const { app, send } = running(on);
    expect(JSON.parse((await send('/ready')).text)).toMatchObject({
      dependencies: { greetings: { up: true, needed: false } },
    });
    closed = 0;
    await app.close();
    expect(closed).toBe(1);
  });

  it('makes what it lacks a fault at start, with an example, together with all others', () => {
    expect(open({ FUNCTIONS: 'greetings', PORT: 'x', ACCESS_RULES: '[{]' })).toEqual([
      expect.stringMatching(/^PORT write a whole number/) as string,
      expect.stringMatching(/^GREETING is missing: set it, as in GREETING=hello$/) as string,
      expect.stringMatching(/^ACCESS_RULES 1:/) as string,
    ]);
  });

  it('that this release does not have is a fault, which says what there is', () => {
    expect(open({ FUNCTIONS: 'greetings, nonsense', GREETING: 'hello' })).toEqual([
      'FUNCTIONS entry 2: this release has no such function: there are greetings',
    ]);
    for (const name of ['invitations', 'constructor', 'gateway'])
      expect(parseEnvironment({ ...USABLE, FUNCTIONS: name }, 'node')).toMatchObject({
        ok: false,
        faults: [
          {
            variable: 'FUNCTIONS',
            problem: `entry 1: this release has no such function: there are ${Object.keys(FURTHER).join(', ')}`,
          },
        ],
      });
  });
});

describe('a job of a function, run by a command', () => {
  const on = { FUNCTIONS: 'greetings', GREETING: 'hello' };
  const { OPENFGA_URL, OPENFGA_STORE_ID } = USABLE;
  const name = 'greetings-prune';

  it('follows from its schedule: it needs the variables of the function and of its ports, none of the gateway', async () => {
    const job = (await standaloneJob(name, on, CATALOGUE))!;
    const lacking = configure(job, { FUNCTIONS: 'greetings' }, 'node');
    expect(lacking.ok ? [] : lacking.faults.map(({ variable }) => variable)).toEqual([
      'GREETING',
      'OPENFGA_URL',
      'OPENFGA_STORE_ID',
    ]);
    const parsed = configure(job, { ...on, OPENFGA_URL, OPENFGA_STORE_ID }, 'node');
    if (!parsed.ok) throw new Error('it lacks a variable');
    const none = (): never => {
      throw new Error('nothing is opened here');
    };
    const ground = {
      ...openGround({ logLevel: 'silent' }),
      openCounting: none,
      openAuthorization: none,
      openMailServer: none,
    };
    closed = 0;
    const opened = parsed.config.open({ ...ground, database: {} as Database });
    expect(await opened.job.run({ signal: AbortSignal.abort(), dryRun: false })).toEqual({
      greeting: 'hello',
    });
    await opened.close?.();
    expect(closed).toBe(1);
  });

  it('does not exist while its function is off, nor under a name that no schedule has', async () => {
    expect(await standaloneJob(name, {}, CATALOGUE)).toBeUndefined();
    for (const other of ['constructor', 'greetings', ''])
      expect(await standaloneJob(other, on, CATALOGUE)).toBeUndefined();
  });

  it('of this release can be run, each of them', async () => {
    const everything = { FUNCTIONS: Object.keys(RELEASED.further).join() };
    const names = scheduleOf(functionsOn(everything)).map(({ job }) => job);
    expect(names).toContain('webhooks-apply');
    for (const each of names) expect(await standaloneJob(each, everything), each).toBeDefined();
  });
});
