import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GRACE } from '../../dev/legacy/people.ts';
import { isInvitation, isRequest } from '../../dev/tour/step.ts';
import { stepsOf } from '../../dev/tour/steps.ts';
import { FULL, times } from '../support/scale.ts';

const PASTED = stepsOf({ storeId: 'any', provider: 'kanidm' });
const HEADINGS = ['Set up your new sign-in at Inventory', 'You are all set', 'All tenants'];
const CURL_MISSING = spawnSync('curl', ['--version']).error !== undefined;

describe('the demo', () => {
  const runs = [
    ['dev/demo.ts', 'kanidm'],
    ['dev/demo.ts', 'zitadel'],
    ['dev/workerd.ts', 'kanidm'],
  ] as const;
  it.each(runs.slice(0, times(runs.length, 1)))(
    '%s --once --provider %s holds every step of the tour',
    async (program, provider) => {
      // With what it printed when it fails: that names the step which does not hold.
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--import',
        'tsx',
        program,
        '--once',
        ...['--provider', provider],
      ]).catch((error: unknown) => error as { stdout: string });
      const steps = stepsOf({ storeId: 'any', provider });
      expect(stdout.match(/^[✓✗] .*$/gm)).toEqual(steps.map(({ title }) => `✓ ${title}`));
    },
  );

  // In the small form --once takes all steps every time, and a unit test holds each line to its step.
  it.skipIf(CURL_MISSING || !FULL)(
    'prints lines that, pasted into bash, give the answers they name, and again when pasted again; then nothing is left',
    async () => {
      const demo = start();
      const text = await untilPrinted(demo.stdout, 'Ctrl-C');
      const [, envFile = ''] = /--env-file=([^\s;]+)/.exec(text) ?? [];
      expect(existsSync(envFile)).toBe(true);
      const wanted = PASTED.flatMap((step, index) =>
        isRequest(step) || (isInvitation(step) && step.invitation === 'opened')
          ? [`${index + 1} ${step.title}: ${step.expect.status}`]
          : [],
      );
      for (let pass = 1; pass <= 2; pass += 1) {
        const output = await pasted(text);
        expect(answersIn(output)).toEqual(wanted);
        // Through either door, the same user.
        expect(output.match(/(?<="user": ")[0-9a-f-]{36}/g)).toEqual([GRACE.id, GRACE.id]);
        // Each time another one moves: Olivia and Grace were across before.
        expect(output.match(/(?<=<h1[^>]*>).*/g)).toEqual(HEADINGS);
        expect(output).toContain(`"completed":${2 + pass},`);
      }
      expect(text).not.toMatch(/\x1b/);
      demo.kill('SIGINT');
      expect(await once(demo, 'exit')).toEqual([0, null]);
      expect(existsSync(envFile)).toBe(false);
    },
  );

  const signals = [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const;
  it.skipIf(!FULL).each(signals)(
    '%s while it starts ends it with %d, says so, and leaves nothing',
    async (signal, code) => {
      const before = new Set(readdirSync('.wrangler'));
      const demo = start();
      await untilPrinted(demo.stderr, 'Starting the demo …\n');
      const said = text(demo.stderr);
      demo.kill(signal);
      expect(await once(demo, 'exit')).toEqual([code, null]);
      expect(await said).toBe('Stopping, as soon as it is up …\n');
      expect(readdirSync('.wrangler').filter((name) => !before.has(name))).toEqual([]);
    },
  );

  it.skipIf(!FULL)('a gateway that is killed ends it with 1, and leaves nothing', async () => {
    const before = new Set(readdirSync('.wrangler'));
    const demo = start('dev/workerd.ts');
    await untilPrinted(demo.stdout, 'Ctrl-C');
    const wrangler = Number(execFileSync('pgrep', ['-P', String(demo.pid), '-f', 'wrangler']).toString());
    process.kill(wrangler, 'SIGTERM');
    expect(await once(demo, 'exit')).toEqual([1, null]);
    expect(readdirSync('.wrangler').filter((name) => !before.has(name) && name !== 'tmp')).toEqual([]);
  });
});

function start(program = 'dev/demo.ts') {
  const demo = spawn(process.execPath, ['--import', 'tsx', program, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    demo.kill();
  });
  return demo;
}

async function untilPrinted(stream: Readable, wanted: string): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(wanted)) resolve(text);
    });
    stream.on('end', () => {
      reject(new Error(`ended before it printed ${wanted}: ${text}`));
    });
  });
}

/** What all the printed lines give in a shell of their own. */
async function pasted(text: string): Promise<string> {
  const lines = text
    .slice(text.indexOf('# First'))
    .split('\n')
    .filter((line) => /^(?:#|echo| {3})/.test(line));
  const { stdout } = await promisify(execFile)('bash', ['-u', '-c', lines.join('\n')], { cwd: '/' });
  return stdout;
}

/** Titles with the status of the answer below each. */
function answersIn(output: string): string[] {
  const answers = output.matchAll(
    /^(\d+ .*) → (\d{3}).*\n(?:HTTP\/1\.1 100 Continue\s+)?HTTP\/1\.1 (\d{3})/gm,
  );
  return [...answers].map(([, title, , status]) => `${title}: ${status}`);
}
