import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { built } from '../support/gateway/built.ts';
import { LISTENING } from '../support/gateway/node.ts';
import { startProgram } from '../support/gateway/program.ts';
import { openRaw } from '../support/raw-socket.ts';
import { openWorld, type World } from '../support/world.ts';

const SCRIPT = '/usr/bin/script';
const LEADER = fileURLToPath(new URL('on-terminal.mjs', import.meta.url));
const WATCHDOG = { timeout: 600_000, interval: 20 };

describe.skipIf(!existsSync(SCRIPT))(
  'a gateway whose terminal is closed (needs script of util-linux)',
  () => {
    let world: World;
    let folder: string;
    beforeAll(async () => {
      world = await openWorld();
      folder = await mkdtemp(join(tmpdir(), 'sallyport-terminal-'));
    });
    afterAll(async () => {
      await world.close();
      await rm(folder, { recursive: true });
    });

    it.each([
      ['one process', '1'],
      ['several processes', '2'],
    ])('of %s finishes its requests, and ends with 0', async (_what, WORKERS) => {
      const report = join(folder, WORKERS);
      const entry = join(await built('node'), 'node.js');
      const command = [process.execPath, LEADER, report, process.execPath, '--', entry];
      const terminal = startProgram(
        SCRIPT,
        ['-qefc', `${command.join(' ')} --env-file=/dev/null`, '/dev/null'],
        {
          env: { ...world.variables, HOST: '127.0.0.1', PORT: '0', WORKERS },
        },
      );
      const [, url = ''] = await vi.waitUntil(() => LISTENING.exec(terminal.output()), WATCHDOG);
      let finish = (): void => undefined;
      world.upstream.on(`/public/long-${WORKERS}`, (incoming, outgoing) => {
        incoming.resume();
        finish = () => outgoing.end('last');
        outgoing.write('first ');
      });
      const long = openRaw(url);
      long.send(`GET /public/long-${WORKERS} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await long.until(/first /);
      // With it its side of the terminal is closed, which hangs up.
      terminal.kill('SIGKILL');
      const refused = async () => {
        const next = openRaw(url);
        next.send('GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        return !(await next.closed).includes('200 OK');
      };
      await vi.waitUntil(refused, WATCHDOG);
      expect(existsSync(report)).toBe(false);
      finish();
      expect(await long.closed).toContain('last');
      await vi.waitUntil(() => existsSync(report), WATCHDOG);
      expect(JSON.parse(await readFile(report, 'utf8'))).toEqual([0, null]);
    });
  },
);
