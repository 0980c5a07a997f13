import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { path } from '../programs.ts';
import { startChild, type Child } from '../children.ts';

const BINARIES = [
  'node_modules/@cloudflare/workerd-linux-64/bin/workerd',
  'node_modules/workerd/bin/workerd',
];

export interface WorkerOptions {
  /** The Worker's one module. */
  readonly script: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** The same binary and the same shape of configuration for every Worker, so that only the code differs. */
export async function startWorkerd(port: number, { script, variables }: WorkerOptions): Promise<Child> {
  const config = join(dirname(script), `${basename(script)}-${port}.capnp`);
  await writeFile(config, workerdConfig(port, basename(script), variables));
  const binary = BINARIES.map(path).find((candidate) => existsSync(candidate));
  if (binary === undefined) throw new Error('workerd is not installed');
  return startChild(binary, ['serve', config], { port });
}

function workerdConfig(port: number, script: string, variables: WorkerOptions['variables']): string {
  // A JSON string is a valid string of Cap'n Proto's text format.
  const bindings = Object.entries(variables).map(
    ([name, value]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(value)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "network", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "index.js", esModule = embed "${script}")],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["nodejs_compat"],
  globalOutbound = "network",
  bindings = [${bindings.join(', ')}],
);
`;
}
