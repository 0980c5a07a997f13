import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { built } from '../support/gateway/built.ts';
import { httpClient, type HttpClient } from '../support/gateway/http-client.ts';
import { METRICS_TOKEN, openWorld, type World } from '../support/world.ts';

/** Its line in the log is as long: some hundred of them are more than a pipe and the buffer hold. */
const PATH = `/public/${'x'.repeat(4_000)}`;

let world: World;
let child: ChildProcess | undefined;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(() => {
  child?.kill('SIGKILL');
});
afterAll(async () => {
  await world.close();
});

/** The production bundle, whose stdout the test reads itself. */
async function started(): Promise<{ out: Readable; client: HttpClient; ended: Promise<unknown[]> }> {
  const entry = join(await built('node'), 'node.js');
  child = spawn(process.execPath, [entry], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', HOST: '127.0.0.1', PORT: '0', ...world.variables },
  });
  const ended = once(child, 'close');
  const out = child.stdout as Readable;
  let text = '';
  for (let match = null; match === null; match = /"url":"(http:[^"]+)"/.exec(text)) {
    text += String((await once(out, 'data'))[0]);
    if (/"url":"(http:[^"]+)"/.test(text)) out.pause();
  }
  const [, url = ''] = /"url":"(http:[^"]+)"/.exec(text) ?? [];
  return { out, client: httpClient(url), ended };
}

const droppedTotal = async (client: HttpClient): Promise<number> => {
  const answer = await client.fetch('/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
  return Number(/^sallyport_log_dropped_total (\d+)$/m.exec(await answer.text())?.[1]);
};

it('while nobody reads its log, the gateway answers; what was dropped is counted, and said to the next reader', async () => {
  const { out, client, ended } = await started();
  expect(await droppedTotal(client)).toBe(0);
  for (let sent = 0; (await droppedTotal(client)) === 0; sent += 200) {
    const answers = Array.from({ length: 200 }, () => client.fetch(PATH));
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    expect(sent).toBeLessThan(50_000);
  }
  const said = new Promise<number>((resolve) => {
    createInterface(out).on('line', (line) => {
      const { msg, lines } = JSON.parse(line) as { msg: string; lines: number };
      if (msg === 'log lines dropped') resolve(lines);
    });
  });
  const lost = await said;
  expect(lost).toBeGreaterThan(0);
  expect(await droppedTotal(client)).toBe(lost);
  client.close();
  child?.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

it('a log that nobody reads does not keep the process from ending', async () => {
  const { client } = await started();
  await Promise.all(Array.from({ length: 600 }, () => client.fetch(PATH)));
  client.close();
  const exited = once(child!, 'exit');
  child?.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

it('a log whose reader is gone does not end the process', async () => {
  const { out, client } = await started();
  out.destroy();
  for (let n = 0; n < 4; n++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.fetch(PATH)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  }
  client.close();
});
