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

/**
 * The command line, with its packages: to find and read their hundreds of files takes longer than most commands. Native code stays
 * in node_modules.
 */
export const COMMANDS = {
  ...BUNDLING,
  packages: 'bundle',
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
