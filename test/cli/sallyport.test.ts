import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseSigningKeys } from '../../shared/keys/signing-keys.ts';
import { quickProgram } from '../support/gateway/built.ts';
import { FULL } from '../support/scale.ts';

/** What npx starts, from the sources; in the small form, where test/dev/demo.test.ts has it every time, the quick build of them. */
const PROGRAM = FULL
  ? [fileURLToPath(new URL('../../cli/sallyport.mjs', import.meta.url))]
  : await quickProgram('sallyport');
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ESCAPE = '\u001b';

async function sallyport(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [...PROGRAM, '--env-file=/dev/null', ...args], {
    cwd: ROOT,
    env: { PATH, CI: '1', ...env },
  });
  child.stdin.end();
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

const OPEN =
  '[\n  { "path": "/stores/*path", "method": "*", "feature": "public_access", "target": "openfga" }\n]';

describe('sallyport', () => {
  it.each([
    [['rules', 'check'], 0],
    [['rules', 'explain', 'get', '/nowhere'], 1],
    [['--help'], 0],
    [['rules', 'explain', '--help'], 0],
    [['rules', 'explain', 'GET'], 2],
    [['nonsense'], 2],
    [[], 2],
  ])('%j exits with %d', async (args, code) => {
    expect(await sallyport(args)).toMatchObject({ code });
  });

  it('fails on a warning only when it is strict, and names line and column', async () => {
    const lax = await sallyport(['rules', 'check'], { ACCESS_RULES: OPEN });
    expect(lax).toMatchObject({ code: 0 });
    expect(lax.stdout).toContain('ACCESS_RULES:2:73: warning: ');
    expect(lax.stdout).not.toContain(ESCAPE);
    const strict = await sallyport(['rules', 'check', '--strict', '--json'], { ACCESS_RULES: OPEN });
    expect(strict.code).toBe(1);
    expect(JSON.parse(strict.stdout)).toMatchObject({
      ok: false,
      warnings: 1,
      findings: [{ pointer: '/0/target' }],
    });
  });

  it('leads from a request to the line of the rule that decides', async () => {
    const { code, stdout } = await sallyport(['rules', 'explain', 'GET', '/stores/1'], {
      ACCESS_RULES: OPEN,
    });
    expect(code).toBe(0);
    expect(stdout).toContain('at      ACCESS_RULES:2:3');
  });

  it('prints keys alone on one line of stdout, so that a shell can take them', async () => {
    const first = await sallyport(['keys', 'generate']);
    expect(first.stdout).toMatch(/^[^\n]+\n$/);
    const next = await sallyport(['keys', 'generate', '--add'], { ASSERTION_KEYS: first.stdout.trim() });
    const published = parseSigningKeys(next.stdout).published.keys.map((key) => key.kid);
    expect(published[1]).toBe(parseSigningKeys(first.stdout).kid);
  });
});
