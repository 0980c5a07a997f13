import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, PortBusy, reservePort, stop } from '../../dev/listen.ts';
import { startStack, type Stack } from '../../dev/stack.ts';
import { parseEnvironment } from '../../functions/configuration.ts';
import { FULL } from '../support/scale.ts';

let stack: Stack;

async function check(user: string, relation: string, object: string): Promise<unknown> {
  const { OPENFGA_URL, OPENFGA_STORE_ID } = stack.variables;
  const answer = await fetch(`${OPENFGA_URL}/stores/${OPENFGA_STORE_ID}/check`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tuple_key: { user: `user:${user}`, relation, object } }),
  });
  return ((await answer.json()) as { allowed?: boolean }).allowed;
}

// The demo with --once, in test/dev/demo.test.ts, goes through all of it each time.
describe.skipIf(!FULL)('the embedded stack (in the full form alone)', () => {
  beforeAll(async () => {
    stack = await startStack({ gatewayUrl: 'http://127.0.0.1:9' });
  });
  afterAll(() => stack.close());

  it('gives variables that the gateway accepts', () => {
    const parsed = parseEnvironment(stack.variables, 'node');
    expect(parsed.ok ? [] : parsed.faults).toEqual([]);
  });

  it('has every part on loopback', () => {
    const places = Object.entries(stack.variables).filter(([name]) => name.endsWith('_URL'));
    expect(places.map(([, url]) => new URL(url).hostname)).toEqual(places.map(() => '127.0.0.1'));
    expect(places.map(([name]) => name)).toContain('DATABASE_URL');
  });

  it('has a database that the migrations have brought up to date', async () => {
    const { execFile } = await import('node:child_process');
    const { promisify } = await import('node:util');
    const env = { ...process.env, DATABASE_URL: stack.variables['DATABASE_URL'] };
    const verify = ['cli/sallyport.mjs', 'db', 'verify'];
    const { stdout } = await promisify(execFile)(process.execPath, verify, { env });
    expect(stdout).toContain('as the migrations promise');
  });

  it('has adopted the people of the legacy application, and who was linked before signs in by Kanidm alone', async () => {
    const client = new Client({ connectionString: stack.variables['DATABASE_URL'] });
    await client.connect();
    const { rows } = await client.query(
      'select slug, count(*)::int as people from users join tenants using (tenant_id) group by slug order by slug',
    );
    const linked = await client.query("select email from users where auth_method = 'kanidm'");
    await client.end();
    expect(rows).toEqual([
      { slug: 'acme', people: 260 },
      { slug: 'birch', people: 160 },
      { slug: 'cedar', people: 80 },
    ]);
    expect(linked.rows).toEqual([{ email: 'olivia@example.org' }]);
  });

  it('issues tokens for the issuer and audience it names', async () => {
    const { ZITADEL_ISSUER_URL: issuer, ZITADEL_AUDIENCE: audience } = stack.variables;
    const keys = createRemoteJWKSet(new URL(`${issuer!}/oauth/v2/keys`));
    const token = await stack.oidc.mintToken('alice');
    expect((await jwtVerify(token, keys, { issuer: issuer!, audience: audience! })).payload.sub).toBe(
      'alice',
    );
  });

  it('lets alice see reports and own document 1, bob administer, carol nothing', async () => {
    expect(await check('alice', 'viewer', 'feature:report_viewer')).toBe(true);
    expect(await check('alice', 'delete', 'document:1')).toBe(true);
    expect(await check('bob', 'manager', 'feature:admin_panel')).toBe(true);
    expect(await check('bob', 'delete', 'document:1')).toBe(false);
    expect(await check('carol', 'viewer', 'feature:report_viewer')).toBe(false);
  });
});

// The demo with --once, in test/dev/demo.test.ts, ends by itself each time.
it.skipIf(!FULL)('a closed stack leaves no handle: its process ends by itself', async () => {
  const code = `import { startStack } from './dev/stack.ts';
    const stack = await startStack({ gatewayUrl: 'http://127.0.0.1:9' });
    await stack.oidc.mintToken('alice');
    await stack.close();
    await stack.close();
    console.log('closed');`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(said).toBe('closed\n');
});

it('a busy port is reported with what to do about it', async () => {
  const server = createServer();
  const port = await listen(server);
  const attempt = reservePort(port);
  await expect(attempt).rejects.toThrow(PortBusy);
  await expect(attempt).rejects.toThrow(`npm run demo -- --port ${port + 1}`);
  await stop(server);
});
