import { domain, masterkey, owner, product, release, setupSteps, target } from './about-dump.ts';
import { connections, disk, extensions, programs, rights } from './about-server.ts';
import type { Check, Preflight } from './check.ts';

/** Every check, whatever another one says. Nothing is changed. */
export async function judge(preflight: Preflight): Promise<readonly Check[]> {
  return [
    product(preflight),
    owner(preflight),
    target(preflight),
    setupSteps(preflight),
    masterkey(preflight),
    domain(preflight),
    release(preflight),
    await rights(preflight),
    await extensions(preflight),
    await programs(preflight),
    await disk(preflight),
    await connections(preflight),
  ];
}
