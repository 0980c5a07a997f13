import { openKanidmDirectory } from '../../shared/adapters/kanidm/directory.ts';
import { openZitadelDirectory } from '../../shared/adapters/zitadel/directory.ts';
import type { DirectoryConfig } from '../../shared/configuration/providers.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { exchangeBy, systemClock, webRandom } from '../../shared/runtime.ts';

const exchange = exchangeBy((to, init) => fetch(to, init));

interface Asked {
  readonly config: DirectoryConfig;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Calls one method of a directory from inside workerd; the suite outside judges what it answers. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { config, method, args } = (await request.json()) as Asked;
    const directory = open(config);
    const call: unknown = Reflect.get(directory, method);
    if (typeof call !== 'function') return Response.json({ error: `no method ${method}` }, { status: 400 });
    const result: unknown = await Reflect.apply(call, directory, [...args]);
    return Response.json({ result });
  },
};

function open(config: DirectoryConfig): Directory {
  return config.provider === 'kanidm'
    ? openKanidmDirectory(config, { exchange, clock: systemClock, random: webRandom() })
    : openZitadelDirectory(config, { exchange, clock: systemClock });
}
