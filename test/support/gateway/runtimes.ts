import { FULL } from '../scale.ts';
import { inProcess } from './in-process.ts';
import { node } from './node.ts';
import type { Runtime } from './runtime.ts';
import { workerd } from './workerd.ts';

/** Where the gateway runs. Every promise holds in all of them; in process, which is the Worker's code, in full runs alone. */
export const RUNTIMES: readonly Runtime[] = FULL ? [inProcess, node, workerd] : [node, workerd];

/**
 * For functions beside the gateway, which reach a runtime by its ports alone: what the ports promise is shown in each of them every
 * time. In the small form Node, and all of them where a suite says so; in full runs all.
 */
export const FUNCTION_RUNTIMES: readonly Runtime[] = FULL ? RUNTIMES : [node];

/** Those with a socket of their own, for what a fetch-standard Request cannot express. */
export const SOCKETS: readonly Runtime[] = [node, workerd];

/** Of FUNCTION_RUNTIMES. */
export const FUNCTION_SOCKETS = FULL ? SOCKETS : FUNCTION_RUNTIMES;
