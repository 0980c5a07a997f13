import { inProcess } from './in-process.ts';
import { node } from './node.ts';
import type { Runtime } from './runtime.ts';
import { workerd } from './workerd.ts';

/** Where the gateway runs. Every promise holds in all of them. */
export const RUNTIMES: readonly Runtime[] = [inProcess, node, workerd];

/** Those with a socket of their own, for what a fetch-standard Request cannot express. */
export const SOCKETS: readonly Runtime[] = [node, workerd];
