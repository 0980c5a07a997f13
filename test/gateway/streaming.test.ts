import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { answerOf, caught, leave, open } from '../support/exchange.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Calls `pump` on and on until the number it gives stays the same while 30 other requests pass. */
async function standstill(stage: Stage, moved: () => number): Promise<number> {
  for (let before = -1, calm = 0; calm < 30;) {
    await stage.gateway.fetch('/public/meanwhile');
    calm = moved() === before ? calm + 1 : 0;
    before = moved();
  }
  return moved();
}

const MIB = 1024 * 1024;

gatewaySuite(
  'bodies stream both ways',
  { on: SOCKETS, onEach: true, variables: () => ({ MAX_BODY_BYTES: String(1024 * MIB) }) },
  (stage) => {
    it('the upstream reads the first bytes before the client has sent the last', async () => {
      const arriving = caught(stage, '/public/up');
      const call = open(stage, '/public/up', { method: 'POST' });
      call.write('first');
      const [incoming, outgoing] = await arriving;
      incoming.resume();
      const [chunk] = (await once(incoming, 'data')) as [Buffer];
      expect(chunk.toString()).toBe('first');
      call.end('last');
      await once(incoming, 'end');
      outgoing.end('done');
      expect((await answerOf(call)).statusCode).toBe(200);
    });

    it('the client reads the first bytes before the upstream has sent the last', async () => {
      const arriving = caught(stage, '/public/down');
      const call = open(stage, '/public/down').end();
      const [incoming, outgoing] = await arriving;
      incoming.resume();
      outgoing.write('first');
      const answer = await answerOf(call);
      const [chunk] = (await once(answer, 'data')) as [Buffer];
      expect(chunk.toString()).toBe('first');
      outgoing.end('last');
      expect(String((await once(answer, 'data'))[0])).toBe('last');
    });

    it('5 MiB arrive unchanged, there and back', async () => {
      const bytes = randomBytes(5 * MIB);
      stage.upstream.on('/public/mirror', (incoming, outgoing) => void incoming.pipe(outgoing));
      const answer = await stage.gateway.fetch('/public/mirror', { method: 'PUT', body: bytes });
      expect(sha(new Uint8Array(await answer.arrayBuffer()))).toBe(sha(bytes));
    });

    it('a client that does not read holds the upstream back', async () => {
      const arriving = caught(stage, '/public/flood');
      const call = open(stage, '/public/flood').end();
      const [incoming, outgoing] = await arriving;
      incoming.resume();
      let sent = 0;
      const pump = (): void => {
        while (sent < 512 && outgoing.write(Buffer.alloc(MIB))) sent++;
      };
      outgoing.on('drain', () => {
        sent++;
        pump();
      });
      pump();
      await answerOf(call);
      expect(await standstill(stage, () => sent)).toBeLessThan(128);
      call.destroy();
      await once(outgoing, 'close');
    });

    it('an upstream that does not read holds the client back', async () => {
      const arriving = caught(stage, '/public/clogged');
      const call = open(stage, '/public/clogged', { method: 'POST' });
      let sent = 0;
      const pump = (): void => {
        while (sent < 512 && call.write(Buffer.alloc(MIB))) sent++;
      };
      call.on('drain', () => {
        sent++;
        pump();
      });
      pump();
      const [incoming] = await arriving;
      expect(await standstill(stage, () => sent)).toBeLessThan(128);
      incoming.destroy();
      call.destroy();
    });

    // workerd ends such an answer as if it were whole, whatever the code does.
    it.runIf(stage.runtime === 'node')(
      'an answer is cut off when the upstream breaks, and not ended as if whole',
      async () => {
        const arriving = caught(stage, '/public/breaks');
        const call = open(stage, '/public/breaks').end();
        const [incoming, outgoing] = await arriving;
        incoming.resume();
        outgoing.write('half');
        const answer = await answerOf(call);
        await once(answer, 'data');
        outgoing.destroy();
        await new Promise<void>((resolve) => {
          answer
            .once('close', resolve)
            .on('error', () => undefined)
            .resume();
        });
        expect(answer.complete).toBe(false);
      },
    );
  },
);

gatewaySuite('a client that goes away cancels its request at the upstream', { on: SOCKETS }, (stage) => {
  it('while it waits for the answer', async () => {
    stage.upstream.on('/public/wait', (incoming) => void incoming.resume());
    const arriving = stage.upstream.next();
    const call = open(stage, '/public/wait').end();
    const recorded = await arriving;
    leave(call);
    await recorded.gone();
  });

  it('while it reads the answer', async () => {
    stage.upstream.on('/public/read', (incoming, outgoing) => {
      incoming.resume();
      outgoing.write('first');
    });
    const arriving = stage.upstream.next();
    const call = open(stage, '/public/read').end();
    const recorded = await arriving;
    await answerOf(call);
    leave(call);
    await recorded.gone();
  });

  it('in the midst of its body, and that is not held against the upstream', async () => {
    for (let n = 0; n < 6; n++) {
      const arriving = stage.upstream.next();
      const call = open(stage, '/public/x', { method: 'POST' });
      call.write('half');
      const recorded = await arriving;
      leave(call);
      await recorded.gone();
    }
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
  });
});
