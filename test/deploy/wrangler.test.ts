import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

describe('wrangler deploy', () => {
  it('does not even build a Worker that could only answer 503, and lists what is missing', async () => {
    const args = [
      'node_modules/wrangler/bin/wrangler.js',
      'deploy',
      '--dry-run',
      '--outdir',
      '.wrangler/refused',
    ];
    const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1' };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(child.exitCode).toBe(1);
    expect(out + err).toMatch(
      /could only answer 503[\s\S]*UPSTREAM_URL is missing[\s\S]*OPENFGA_URL is missing/,
    );
  }, 120_000);
});
