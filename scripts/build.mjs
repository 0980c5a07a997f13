// Bundles the Node entry for `npm start`, and the command line: packages stay in node_modules.
// An argument names another folder than dist/.
import { build } from 'esbuild';

await build({
  entryPoints: { node: 'functions/node.ts', sallyport: 'cli/bin.ts' },
  outdir: process.argv[2] ?? 'dist',
  bundle: true,
  // What both need is one file; what only one command needs is loaded by it alone.
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
});
