import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listen, stop } from '../../dev/listen.ts';
import { checkStep } from '../../dev/tour/check.ts';
import type { Expectation, Places } from '../../dev/tour/step.ts';

let server: Server;
let places: Places;
/** What the gateway answers while events are on their way, before the usual 403. */
let early: number[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    response.writeHead(early.shift() ?? 403, { 'x-limit': 'q=5' });
    response.end(JSON.stringify({ code: 'forbidden', user: request.headers.authorization ?? null }));
  });
  places = placesAt(`http://127.0.0.1:${await listen(server)}`);
});

afterAll(() => stop(server));

function placesAt(gateway: string): Places {
  return { gateway, zitadel: gateway, kanidm: gateway, openfga: gateway, inbox: gateway };
}

async function check(expectation: Expectation, more: { readonly afterSeconds?: number } = {}) {
  const step = { title: 'x', path: '/x', as: 'alice', expect: expectation, ...more } as const;
  return checkStep(step, { places, tokenOf: (user) => Promise.resolve(`token-of-${user}`) });
}

it('a step holds only when status, code, headers and echo all do', async () => {
  const all = {
    status: 403,
    code: 'forbidden',
    headers: { 'x-limit': 'q=' },
    echo: { user: 'Bearer token-of-alice' },
    contains: '"Bearer token-of-alice"',
  };
  expect(await check(all)).toBeUndefined();
  expect(await check({ ...all, status: 200 })).toBe('status: expected 200, got 403');
  expect(await check({ ...all, code: 'no_rule' })).toBe('code: expected "no_rule", got "forbidden"');
  expect(await check({ ...all, headers: { 'x-other': 'q=' } })).toBe(
    'header x-other: expected "q=" in it, got none',
  );
  expect(await check({ ...all, echo: { missing: 1 } })).toBe(
    'missing in the answer: expected 1, got nothing',
  );
});

it('a step that follows an event is asked again until it holds; any other is asked once', async () => {
  early = [200, 401];
  expect(await check({ status: 403 }, { afterSeconds: 1 })).toBeUndefined();
  early = [200];
  expect(await check({ status: 403 })).toBe('status: expected 403, got 200');
});

it('a gateway that does not answer fails the step instead of the run', async () => {
  const step = { title: 'x', path: '/x', expect: { status: 200 } };
  const options = { places: placesAt('http://127.0.0.1:9'), tokenOf: () => Promise.resolve('') };
  expect(await checkStep(step, options)).toMatch(/^no answer: /);
});
