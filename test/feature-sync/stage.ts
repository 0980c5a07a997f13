import { afterAll, beforeAll, beforeEach } from 'vitest';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { OpenFgaService } from '../services/openfga.ts';
import { emptyBooks } from './books.ts';
import { openGround, type Ground } from './ground.ts';
import type { Pair, TestDatabase } from './stores.ts';

export interface Stage {
  server: OpenFgaService;
  tables: TestDatabase;
  database: Database;
  /** Each test's own, beside empty books. */
  ground: Ground;
}

/**
 * The services that the tests around it share, from the first of them to the last. `use` is called before each test;
 * before the first one only the services are there.
 */
export function setStage(
  { fga, postgres }: Pair,
  use: (stage: Readonly<Stage>) => void | Promise<void> = () => undefined,
): Readonly<Stage> {
  const stage = {} as Stage;
  beforeAll(async () => {
    [stage.server, stage.tables] = await Promise.all([fga.start(), postgres.start()]);
    stage.database = openPgDatabase({ url: stage.tables.url, max: 2 });
  });
  afterAll(async () => {
    await stage.database.close();
    await Promise.all([stage.tables.close(), stage.server.close()]);
  });
  beforeEach(async () => {
    await emptyBooks(stage.tables);
    stage.ground = await openGround(stage.server.url, stage.database);
    await use(stage);
  });
  return stage;
}
