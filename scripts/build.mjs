// Bundles the Node entry for `npm start`: packages stay in node_modules, our own files become one.
// An argument names another folder than dist/.
import { build } from 'esbuild';

await build({
  entryPoints: { node: 'functions/node.ts' },
  outdir: process.argv[2] ?? 'dist',
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
});
