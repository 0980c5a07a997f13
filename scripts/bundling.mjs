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
