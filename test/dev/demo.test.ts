import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { STEPS } from '../../dev/tour/steps.ts';

const DEMO = ['--import', 'tsx', 'dev/demo.ts'];
const CURL_MISSING = spawnSync('curl', ['--version']).error !== undefined;

describe('npm run demo', () => {
  it('holds every step it promises, by its own check', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [...DEMO, '--once']);
    expect(stdout.match(/^✓ .*$/gm)).toEqual(STEPS.map(({ title }) => `✓ ${title}`));
  }, 60_000);

  it.skipIf(CURL_MISSING)(
    'prints lines that do what they say when pasted, and stops at Ctrl-C',
    async () => {
      const demo = spawn(process.execPath, [...DEMO, '--port', '0'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(demo, 'exit');
      const text = await untilPrinted(demo.stdout, 'Ctrl-C');
      expect(await pasted(text)).toEqual(STEPS.map(({ expect: { status } }) => String(status)));
      expect(text).not.toMatch(/\x1b/);
      demo.kill('SIGINT');
      expect(await exited).toEqual([0, null]);
    },
    60_000,
  );
});

async function untilPrinted(stream: Readable, wanted: string): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(wanted)) resolve(text);
    });
  });
}

/** Statuses that the printed lines give in a shell of their own. */
async function pasted(text: string): Promise<string[]> {
  const lines = text.match(/^ {3}(?:[A-Z]+=\$\(.*|curl .*)$/gm) ?? [];
  const script = lines.map((line) => line.replace('curl -i', "curl -s -o /dev/null -w '%{http_code}\\n'"));
  const { stdout } = await promisify(execFile)('sh', ['-eu', '-c', script.join('\n')]);
  return stdout.trim().split('\n');
}
