import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isRequest } from '../../dev/tour/step.ts';
import { stepsOf } from '../../dev/tour/steps.ts';

const STEPS = stepsOf('any');
const CURL_MISSING = spawnSync('curl', ['--version']).error !== undefined;

describe('the demo', () => {
  it.each(['dev/demo.ts', 'dev/workerd.ts'])(
    '%s --once holds every step of the tour',
    async (program) => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program, '--once']);
      expect(stdout.match(/^✓ .*$/gm)).toEqual(STEPS.map(({ title }) => `✓ ${title}`));
    },
    90_000,
  );

  it.skipIf(CURL_MISSING)(
    'prints curl lines that do what they say when pasted, and stops at Ctrl-C',
    async () => {
      const demo = spawn(process.execPath, ['--import', 'tsx', 'dev/demo.ts', '--port', '0'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(demo, 'exit');
      const text = await untilPrinted(demo.stdout, 'Ctrl-C');
      expect(await pasted(text)).toEqual(
        STEPS.map((step) => (isRequest(step) ? String(step.expect.status) : '0')),
      );
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

/** Statuses and exit codes that the printed lines give in a shell of their own. */
async function pasted(text: string): Promise<string[]> {
  const lines = text.match(/^ {3}(?:[A-Z]+=.*|curl .*|node .*)$/gm) ?? [];
  let step = 0;
  const script = lines.map((line) => (/^ {3}[A-Z]+=/.test(line) ? line : observed(line, step++)));
  const { stdout } = await promisify(execFile)('sh', ['-eu', '-c', script.join('\n')]);
  return stdout.trim().split('\n');
}

/** A person takes longer to paste a line than an event to be applied; a shell has to ask again. */
function observed(line: string, index: number): string {
  const step = STEPS[index]!;
  if (!isRequest(step)) return `${line} >/dev/null && echo $?`;
  const curl = line.replace('curl -i', "curl -s -o /dev/null -w '%{http_code}\\n'");
  if (step.soon !== true) return curl;
  const wanted = String(step.expect.status);
  return `for i in $(seq 100); do got=$(${curl}); test "$got" = ${wanted} && break; sleep 0.1; done; echo "$got"`;
}
