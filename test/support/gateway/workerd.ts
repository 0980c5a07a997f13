import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { built } from './built.ts';
import { httpClient } from './http-client.ts';
import { startProgram } from './program.ts';
import type { GatewayVariables, RunningGateway, Runtime } from './runtime.ts';

const BINARY = new URL('../../../node_modules/workerd/bin/workerd', import.meta.url).pathname;
const ASSETS = new URL('../../../functions/analytics/assets', import.meta.url).pathname;
const WRANGLER_TOML = new URL('../../../wrangler.toml', import.meta.url);

/** The Worker as `wrangler deploy` bundles it, in workerd itself: nothing stands between its socket and the code. */
export const workerd: Runtime = {
  name: 'workerd',
  async start(variables): Promise<RunningGateway> {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-workerd-'));
    await copyFile(join(await built('worker'), 'index.js'), join(folder, 'index.js'));
    await writeFile(join(folder, 'config.capnp'), await configuration(variables), { mode: 0o600 });
    const program = startProgram(BINARY, ['serve', '--control-fd=3', join(folder, 'config.capnp')]);
    const [, port] = await program.printed(/"event":"listen","socket":"http","port":(\d+)/);
    const url = `http://127.0.0.1:${port}`;
    const client = httpClient(url, false);
    return {
      url,
      fetch: client.fetch,
      output: program.output,
      async close() {
        client.close();
        program.kill('SIGKILL');
        await program.ended;
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

async function configuration(variables: GatewayVariables): Promise<string> {
  const bindings = Object.entries(variables).map(
    ([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`,
  );
  const toml = await readFile(WRANGLER_TOML, 'utf8');
  const date = /^compatibility_date = "(.*)"/m.exec(toml)?.[1] ?? '';
  const flags = /^compatibility_flags = (\[.*\])/m.exec(toml)?.[1] ?? '[]';
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "assets", disk = ${quoted(ASSETS)}),
    (name = "internet", network = (allow = ["local", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "index.js", esModule = embed "index.js")],
  compatibilityDate = ${quoted(date)},
  compatibilityFlags = ${flags},
  bindings = [(name = "ASSETS", service = "assets"), ${bindings.join(', ')}],
);
`;
}

/** A Cap'n Proto string literal. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`;
}
