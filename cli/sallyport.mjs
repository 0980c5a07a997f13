#!/usr/bin/env -S node --
// From the sources; `npm run build` makes dist/sallyport.js of the same, which starts faster and needs no tsx.
import { register } from 'tsx/esm/api';

register();
await import('./bin.ts');
