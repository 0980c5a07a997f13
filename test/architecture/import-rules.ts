import { inMap, inside, ADAPTERS, PRODUCT } from './layout.ts';
import type { Import, Source } from './source.ts';

/** Who breaks the rule: one line each, empty when it holds. */
export type Rule = (sources: readonly Source[]) => string[];

/** A rule about single imports. */
function forbid(broken: (from: string, to: Import) => boolean): Rule {
  return (sources) =>
    sources.flatMap(({ path, imports }) =>
      imports.filter((each) => broken(path, each)).map(({ to }) => `${path} -> ${to}`),
    );
}

export const functionsKnowNoOther = forbid((from, { to, local }) => {
  const own = inMap(from) ? undefined : /^functions\/[^/]+\//.exec(from)?.[0];
  return own !== undefined && local && inside(to, 'functions') && !to.startsWith(own);
});

export const sharedKnowsNoFunction = forbid(
  (from, { to }) => inside(from, 'shared') && inside(to, 'functions'),
);

export const productKnowsNoTools = forbid(
  (from, { to, local }) =>
    local &&
    ((inside(from, 'functions', 'shared') && !inside(to, 'functions', 'shared', 'config')) ||
      (inside(from, 'cli') && !inside(to, 'cli', 'functions', 'shared', 'config'))),
);

export const toolsKnowNoTest = forbid(
  (from, { to }) => inside(from, 'dev', 'bench', 'scripts') && inside(to, 'test', 'cli'),
);

/** cli/deps.ts wires what only commands need, so that no bundle carries it, cli/session.ts a database session alone; functions/node/deps.ts what a process needs that serves nothing. */
const COMPOSITION_ROOTS = ['shared/deps.ts', 'cli/deps.ts', 'cli/session.ts', 'functions/node/deps.ts'];

export const adaptersAreWiredInOnePlace = forbid(
  (from, { to }) => inside(to, ADAPTERS) && !inside(from, ADAPTERS, 'test', ...COMPOSITION_ROOTS),
);

/** Libraries: no service behind them and no runtime of their own. */
const LIBRARIES = ['zod', 'jose', 'hono', 'lru-cache', 'ipaddr.js', '@humanwhocodes/momoa', 'postgres-array'];
const ALLOWED: readonly { readonly where: string; readonly packages: readonly string[] }[] = [
  { where: 'functions/node', packages: ['@hono/node-server'] },
  { where: 'cli', packages: ['commander', 'picocolors', 'umzug', 'yaml', '@openfga/syntax-transformer'] },
];

export const vendorsStayInAdapters = forbid((from, { to, local }) => {
  if (local || to.startsWith('node:') || inside(from, ADAPTERS)) return false;
  if (!inside(from, ...PRODUCT) || LIBRARIES.includes(to)) return false;
  return !ALLOWED.some(({ where, packages }) => inside(from, where) && packages.includes(to));
});

export const oneVendorPerAdapter: Rule = (sources) =>
  sources
    .filter(({ path }) => inside(path, ADAPTERS))
    .map(({ path, imports }) => ({ path, vendors: new Set(imports.filter(isVendor).map(({ to }) => to)) }))
    .filter(({ vendors }) => vendors.size > 1)
    .map(({ path, vendors }) => `${path} -> ${[...vendors].join(', ')}`);

function isVendor({ to, local }: Import): boolean {
  return !local && !to.startsWith('node:') && !LIBRARIES.includes(to);
}

/** In production code not even types: who reads one file should not need the other. */
export const noCycles: Rule = (sources) => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (way.includes(path) || done.has(path)) return;
    for (const { to, typeOnly } of byPath.get(path)?.imports ?? [])
      if (!typeOnly || inside(path, ...PRODUCT)) walk(to, [...way, path]);
    done.add(path);
  };
  for (const { path } of sources) walk(path, []);
  return found;
};

/** `pg` is not one of them: it runs in workerd, through Hyperdrive. */
const NODE_ONLY = ['undici', 'redis', 'umzug', '@hono/node-server'];
/** Modules that workerd brings along, or whose types alone are used. */
const IN_WORKERD = ['node:crypto', 'node:net', 'node:stream', 'node:tls'];

/** What the Worker's bundle reaches, leaving out the files that `#platform` means on Node. */
export const workersReachNoNode: Rule = (sources) => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const found: string[] = [];
  const walk = (path: string): void => {
    if (reached.has(path) || path === 'shared/adapters/node/platform.ts') return;
    reached.add(path);
    for (const { to, local, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (typeOnly) continue;
      if (local) walk(to);
      else if (NODE_ONLY.includes(to) || (to.startsWith('node:') && !IN_WORKERD.includes(to)))
        found.push(`${path} -> ${to}`);
    }
  };
  for (const { path } of sources) if (path === 'functions/index.ts') walk(path);
  return found;
};
