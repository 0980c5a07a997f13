import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayVariables, RunningGateway, Runtime } from './gateway/runtime.ts';
import { inTurn, RUNTIMES } from './gateway/runtimes.ts';
import { openWorld, type World, type WorldOptions } from './world.ts';

/** What a suite's tests reach for; filled before the first of them runs. */
export interface Stage extends World {
  readonly gateway: RunningGateway;
  readonly runtime: Runtime['name'];
}

export interface SuiteOptions extends WorldOptions {
  readonly on?: readonly Runtime[];
  /** In the small form too: what it promises is not alike in all of them. */
  readonly onEach?: boolean;
  /** Changes to the world before the gateway starts in it. */
  readonly before?: (world: World) => void | Promise<void>;
  /** Over those of the world. */
  readonly variables?: (world: World) => GatewayVariables;
}

/** One world and one gateway per runtime, started once for all tests of `define`. In the small form on one runtime, unless `onEach`. */
export function gatewaySuite(name: string, options: SuiteOptions, define: (stage: Stage) => void): void {
  const { on = RUNTIMES, onEach = false, before, variables, ...worldOptions } = options;
  const runtimes = (onEach ? on : inTurn(name, on)).map((runtime) => [runtime.name, runtime] as const);
  describe.each(runtimes)(`${name} (%s)`, (_name, runtime) => {
    const stage = { runtime: runtime.name } as { -readonly [Key in keyof Stage]: Stage[Key] };
    let open = false;
    const close = async (): Promise<void> => {
      if (!open) return;
      open = false;
      await stage.gateway.close();
    };
    beforeAll(async () => {
      const world = await openWorld(worldOptions);
      Object.assign(stage, world);
      await before?.(world);
      stage.gateway = await runtime.start({ ...world.variables, ...variables?.(world) });
      open = true;
      // Keys are fetched on start; what a test counts begins after that.
      await stage.gateway.fetch('/ready');
    });
    beforeEach(() => {
      stage.upstream.requests.length = 0;
    });
    afterAll(async () => {
      await close();
      await stage.close();
    });
    define(stage);

    it('no token and no secret was printed', async () => {
      // The log is written in batches: it is complete once the gateway has ended.
      await close();
      const printed = stage.secrets.filter((secret) => stage.gateway.output().includes(secret));
      expect(printed).toEqual([]);
    });
  });
}
