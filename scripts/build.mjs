// Bundles the Node entry for `npm start`, and the command line.
// An argument names another folder than dist/.
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLING, COMMANDS } from './bundling.mjs';
import { writeAssetNames } from './page-assets.mjs';

writeAssetNames();
const outdir = process.argv[2] ?? 'dist';
// Their names change with their content.
await rm(join(outdir, 'chunks'), { recursive: true, force: true });
// Of pages: served as they are.
await cp('functions/analytics/assets', join(outdir, 'assets'), { recursive: true });
await build({ ...BUNDLING, entryPoints: { node: 'functions/node.ts' }, outdir });
await build({ ...COMMANDS, entryPoints: { sallyport: 'cli/bin.ts' }, outdir });
