import { FULL } from '../scale.ts';
import { inProcess } from './in-process.ts';
import { node } from './node.ts';
import type { Runtime } from './runtime.ts';
import { workerd } from './workerd.ts';

/** Where the gateway runs. Every promise holds in all of them, as full runs show; in process is the Worker's code. */
export const RUNTIMES: readonly Runtime[] = FULL ? [inProcess, node, workerd] : [node, workerd];

/**
 * For functions beside the gateway, which reach a runtime by its ports alone: what the ports promise is shown in each of them every
 * time. In the small form Node, and all of them where a suite says so; in full runs all.
 */
export const FUNCTION_RUNTIMES: readonly Runtime[] = FULL ? RUNTIMES : [node];

/** Those with a socket of their own, for what a fetch-standard Request cannot express. */
export const SOCKETS: readonly Runtime[] = [node, workerd];

/** All of `on` in full; else one of them, by the name of a suite: half of all suites run on Node, half in workerd. */
export function inTurn(suite: string, on: readonly Runtime[]): readonly Runtime[] {
  const sum = Array.from(suite, (letter) => letter.charCodeAt(0)).reduce((all, code) => all + code, 0);
  return FULL ? on : on.filter((_, at) => at === sum % on.length);
}

/** Of FUNCTION_RUNTIMES. */
export const FUNCTION_SOCKETS = FULL ? SOCKETS : FUNCTION_RUNTIMES;
