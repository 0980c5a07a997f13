import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { readSetupFile } from '../../cli/zitadel/setup/file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-setup-file-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Every fault of a file, one a line. */
async function faultsOf(text: string): Promise<string> {
  const file = join(folder, 'setup.json');
  writeFileSync(file, text);
  const error = await readSetupFile(file).catch((thrown: unknown) => thrown);
  return error instanceof Error ? error.message.replaceAll(file, 'setup.json') : 'none';
}

describe('the file of a set-up', () => {
  it('is refused with each fault and its place, and no value of it is quoted', async () => {
    expect(await faultsOf('{\n  "smtp": { "password": hunter2 }')).toBe('setup.json:2:25 unexpected "h"');
    const faults = await faultsOf(
      '{\n  "organisation": { "name": "x" },\n  "smtp": { "host": "mail", "password": "hunter2" }\n}',
    );
    expect(faults).toContain('setup.json:2:3 there is no organisation');
    expect(faults).toContain('setup.json:3:13 smtp.host: with the port');
    expect(faults).toContain('a secret does not belong in the file');
    expect(faults).not.toContain('hunter2');
  });

  it('is refused where it says one thing twice, of which JSON.parse would keep the last', async () => {
    const twice = '{ "organization": { "name": "a" }, "organization": { "name": "b" } }';
    expect(await faultsOf(twice)).toContain('setup.json:1:36 this name stands twice');
  });

  it('is refused for what its variables hold, before anything is made of it', async () => {
    vi.stubEnv('PUBLIC_URL', 'gateway.example.org');
    vi.stubEnv('SMTP_HOST', 'smtp.example.org');
    const faults = await faultsOf(
      JSON.stringify({
        publicUrl: { env: 'PUBLIC_URL' },
        smtp: { host: { env: 'SMTP_HOST' }, senderAddress: 'nobody' },
        targets: [{ endpoint: { env: 'PUBLIC_URL' } }],
      }),
    );
    for (const each of ['publicUrl', 'smtp.host', 'smtp.senderAddress', 'targets.0.endpoint'])
      expect(faults).toContain(`setup.json: ${each} `);
  });
});
