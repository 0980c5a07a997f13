/** Of esbuild, for Node: packages stay in node_modules. */
export const BUNDLING = {
  bundle: true,
  // Shared modules are one file; those of one command are loaded by it alone.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
};

/** Packages that many commands import and do not call, by what is called of them. */
const LAZY = {
  '@openfga/sdk': byName('@openfga/sdk'),
  pg: byName('pg'),
  redis: byName('redis'),
  unhomoglyph: 'export default (text) => require("unhomoglyph")(text);',
  qr: 'export default (...given) => require("qr").default(...given);',
};

function byName(name) {
  const get = `(_, key) => key === '__esModule' || require('${name}')[key]`;
  return `Object.setPrototypeOf(exports, new Proxy({}, { get: ${get} }));`;
}

/** A plugin of esbuild: these packages are loaded when something of them is called, which most programs never do. */
export const LAZY_PACKAGES = {
  name: 'lazy packages',
  setup(building) {
    building.onResolve(
      { filter: new RegExp(`^(?:${Object.keys(LAZY).join('|')})$`) },
      ({ path, kind, resolveDir }) =>
        kind === 'import-statement' ? { path, namespace: 'lazy', pluginData: resolveDir } : undefined,
    );
    building.onLoad({ filter: /^/, namespace: 'lazy' }, ({ path, pluginData }) => ({
      contents: LAZY[path],
      resolveDir: pluginData,
    }));
  },
};

/**
 * The command line, with its packages: to find and read their hundreds of files takes longer than most commands. Native code stays
 * in node_modules.
 */
export const COMMANDS = {
  ...BUNDLING,
  packages: 'bundle',
  plugins: [LAZY_PACKAGES],
  external: ['@node-rs/bcrypt', 'pg-native', 'pg-cloudflare'],
  minifyWhitespace: true,
  legalComments: 'none',
  banner: {
    // CommonJS packages require modules of Node. pg loads all of fetch to see that it is not on Workers, unless a navigator says so.
    js: `import { createRequire as requireOf } from 'node:module';
const require = requireOf(import.meta.url);
const navigator = { userAgent: 'Node.js' };`,
  },
};
