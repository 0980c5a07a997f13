import { FULL } from '../scale.ts';
import { inProcess } from './in-process.ts';
import { node } from './node.ts';
import type { Runtime } from './runtime.ts';
import { workerd } from './workerd.ts';

/** Where the gateway runs. Every promise holds in all of them; in process, which is the Worker's code, in full runs alone. */
export const RUNTIMES: readonly Runtime[] = FULL ? [inProcess, node, workerd] : [node, workerd];

/** Those with a socket of their own, for what a fetch-standard Request cannot express. */
export const SOCKETS: readonly Runtime[] = [node, workerd];
