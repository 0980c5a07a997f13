import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listen, stop } from '../../dev/listen.ts';
import { checkStep } from '../../dev/tour/check.ts';
import type { Expectation } from '../../dev/tour/steps.ts';

let server: Server;
let gatewayUrl: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    response.writeHead(403, { 'x-limit': 'q=5' });
    response.end(JSON.stringify({ code: 'forbidden', user: request.headers.authorization ?? null }));
  });
  gatewayUrl = `http://127.0.0.1:${await listen(server)}`;
});

afterAll(() => stop(server));

async function check(expectation: Expectation): Promise<string | undefined> {
  const step = { title: 'x', path: '/x', as: 'alice', expect: expectation } as const;
  return checkStep(step, { gatewayUrl, mintToken: (user) => Promise.resolve(`token-of-${user}`) });
}

it('a step holds only when status, code, headers and echo all do', async () => {
  const all = {
    status: 403,
    code: 'forbidden',
    headers: { 'x-limit': 'q=' },
    echo: { user: 'Bearer token-of-alice' },
  };
  expect(await check(all)).toBeUndefined();
  expect(await check({ ...all, status: 200 })).toBe('status: expected 200, got 403');
  expect(await check({ ...all, code: 'no_rule' })).toBe('code: expected "no_rule", got "forbidden"');
  expect(await check({ ...all, headers: { 'x-other': 'q=' } })).toBe(
    'header x-other: expected "q=" in it, got none',
  );
  expect(await check({ ...all, echo: { missing: 1 } })).toBe('upstream saw missing: expected 1, got nothing');
});

it('a gateway that does not answer fails the step instead of the run', async () => {
  const step = { title: 'x', path: '/x', expect: { status: 200 } };
  const options = { gatewayUrl: 'http://127.0.0.1:9', mintToken: () => Promise.resolve('') };
  expect(await checkStep(step, options)).toMatch(/^no answer: /);
});
