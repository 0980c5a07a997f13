import { expect, it } from 'vitest';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { openRaw } from '../support/raw-socket.ts';
import { gatewaySuite } from '../support/suite.ts';

const ROUNDS = 400;
const TOGETHER = 20;

/** Mulberry32: the same numbers on every run, so that what fails can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const SEEDS = [
  'GET /public/x HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n',
  'POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'GET /me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA\r\n\r\n',
  'OPTIONS /admin/x HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nAccess-Control-Request-Method: PUT\r\n\r\n',
  'GET /ws/echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  'GET /forward-auth HTTP/1.1\r\nHost: a\r\nX-Forwarded-Uri: /public/x\r\nX-Forwarded-Method: GET\r\n\r\n',
  'HEAD http://evil.test/public/%2e%2e%2fadmin?x#y HTTP/1.1\r\nHost: a\r\n\r\n',
];
const PIECES = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '%2f',
  '%00',
  ':',
  ' ',
  '\t',
  '..',
  '//',
  ';',
  '\x7f',
  '\xff',
  ',',
  'chunked',
  '-1',
  '{',
  '"',
];

function mutated(random: () => number): Buffer {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let text = pick(SEEDS);
  for (let changes = 1 + Math.floor(random() * 6); changes > 0; changes--) {
    const at = Math.floor(random() * text.length);
    const length = Math.floor(random() * 12);
    const put = random() < 0.6 ? pick(PIECES).repeat(1 + Math.floor(random() * 3)) : text.slice(at, at + 40);
    text = text.slice(0, at) + put + text.slice(random() < 0.5 ? at : at + length);
  }
  return Buffer.from(text, 'latin1');
}

gatewaySuite('the process survives anything a client sends', { on: SOCKETS }, (stage) => {
  it(`${ROUNDS} broken requests, and it answers as before`, async () => {
    const random = seeded(20_260_101);
    for (let round = 0; round < ROUNDS; round += TOGETHER) {
      const batch = Array.from({ length: TOGETHER }, async () => {
        const raw = openRaw(stage.gateway.url);
        raw.socket.end(mutated(random));
        // Some are incomplete: whoever still waits for the rest is left alone after this answer.
        await Promise.race([
          raw.closed,
          stage.gateway.fetch('/health').then(() => {
            raw.destroy();
          }),
        ]);
      });
      await Promise.all(batch);
    }
    const answer = await stage.gateway.fetch('/public/x');
    expect(answer.status).toBe(200);
    expect(stage.gateway.output()).not.toContain('internal error');
    const reached = stage.upstream.requests.map(({ target }) => target);
    expect(reached.filter((target) => !target.startsWith('/public/'))).toEqual([]);
  });

  it('a thousand connections that say nothing do not keep others out', async () => {
    const silent = Array.from({ length: 1_000 }, () => openRaw(stage.gateway.url));
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
    for (const raw of silent) raw.destroy();
  });
});
