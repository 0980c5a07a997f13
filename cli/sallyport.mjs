#!/usr/bin/env -S node --
// From the sources, as a bundle that is made once for each state of them: tsx would take twice as long for every command. Where
// nothing can be written, tsx does. `npm run build` makes dist/sallyport.js of the same.
import { currentCli } from '../scripts/current-cli.mjs';

const program = await currentCli();
if (program === undefined) (await import('tsx/esm/api')).register();
await import(program ?? './bin.ts');
