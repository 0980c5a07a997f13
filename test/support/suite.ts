import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import type { GatewayVariables, RunningGateway, Runtime } from './gateway/runtime.ts';
import { RUNTIMES } from './gateway/runtimes.ts';
import { openWorld, type World, type WorldOptions } from './world.ts';

/** What a suite's tests reach for; filled before the first of them runs. */
export interface Stage extends World {
  readonly gateway: RunningGateway;
  readonly runtime: Runtime['name'];
}

export interface SuiteOptions extends WorldOptions {
  readonly on?: readonly Runtime[];
  /** Over those of the world. */
  readonly variables?: (world: World) => GatewayVariables;
}

/** One world and one gateway per runtime, started once for all tests of `define`. */
export function gatewaySuite(name: string, options: SuiteOptions, define: (stage: Stage) => void): void {
  const { on = RUNTIMES, variables, ...worldOptions } = options;
  describe.each(on.map((runtime) => [runtime.name, runtime] as const))(`${name} (%s)`, (_name, runtime) => {
    const stage = { runtime: runtime.name } as { -readonly [Key in keyof Stage]: Stage[Key] };
    beforeAll(async () => {
      const world = await openWorld(worldOptions);
      Object.assign(stage, world);
      stage.gateway = await runtime.start({ ...world.variables, ...variables?.(world) });
      // Keys are fetched on start; what a test counts begins after that.
      await stage.gateway.fetch('/ready');
    });
    beforeEach(() => {
      stage.upstream.requests.length = 0;
    });
    afterAll(async () => {
      await stage.gateway.close();
      await stage.close();
    });
    define(stage);
  });
}
