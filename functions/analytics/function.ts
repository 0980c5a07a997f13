import type { PartOf } from '../../shared/configuration/slice.ts';
import type { Deps } from '../../shared/deps.ts';
import type { AsCaller } from '../../shared/edge/caller.ts';
import type { Brought } from '../../shared/edge/function.ts';
import type { Platform } from '../../shared/ports/platform.ts';
import { FIGURES } from './figures.ts';
import { judgedRoutes } from './judged.ts';
import { figuresRoutes } from './routes.ts';
import { pageRoutes } from './page/routes.tsx';
import type { ANALYTICS } from './slice.ts';
import { ticketsRoute } from './tickets.ts';

type Ports = Pick<Deps, 'database' | 'relations'> & {
  readonly platform: Pick<Platform, 'asset'>;
  readonly asCaller: AsCaller;
};

/** The figures of the move, for those who may read them. */
export function createAnalytics(ports: Ports, config: PartOf<typeof ANALYTICS.slice>): Brought {
  const { database } = ports;
  if (database === null) throw new Error('analytics needs a database: its slice makes the absence a fault');
  const deps = { ...ports, database };
  const figures = [...FIGURES, ...judgedRoutes(config.mailEventsSecret !== null)];
  return {
    routes: [
      ...figures.flatMap((route) => figuresRoutes(route, deps)),
      ticketsRoute(config, database),
      ...pageRoutes(deps, config),
    ],
  };
}
