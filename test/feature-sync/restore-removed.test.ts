import { describe, expect, it } from 'vitest';
import { removedUsers } from '../../cli/rules/sync-deps.ts';
import { restoreRun, type RestoreDeps } from '../../functions/feature-sync/restore.ts';
import { syncFeatures } from '../../functions/feature-sync/sync.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';
import type { OpenFgaService } from '../services/openfga.ts';
import { sallyport } from '../support/sallyport.ts';
import { booksOf } from './books.ts';
import { many, shown } from './change.ts';
import { countCalls, Killed, killAt, openGround, type Ground } from './ground.ts';
import { tuple } from './memory.ts';
import { rules } from './rules.ts';
import { setStage } from './stage.ts';
import { SCALED_PAIRS, type TestDatabase } from './stores.ts';

const FORMER = [...many('dropped', 0, 20), tuple('role:r#assignee manager feature:dropped')];
const without = (...users: readonly string[]): Tuple[] => FORMER.filter(({ user }) => !users.includes(user));

describe.each(SCALED_PAIRS)(
  'restore after a removal, on $fga.name and $postgres.name',
  ({ fga, postgres }) => {
    describe.skipIf(fga.missing || postgres.missing)('', () => {
      let server: OpenFgaService;
      let tables: TestDatabase;
      let database: Database;
      let ground: Ground;
      setStage({ fga, postgres }, async (stage) => {
        ({ server, tables, database, ground } = stage);
        await tables.query('delete from sallyport_identities');
      });

      const tell = (subject: string, state: 'removed' | 'suspended', issuer = 'zitadel') =>
        identitiesOf(issuer, database).record({ subject, position: 1, state }, new Date());
      const dropped = async (): Promise<string> => {
        await ground.fill(FORMER);
        const request = { previous: rules({ x: 'dropped' }), current: rules({}), phase: 'both' } as const;
        const done = await syncFeatures({ ...request, allowWidening: false }, ground.process());
        expect(await ground.shown()).toEqual([]);
        return 'runId' in done ? done.runId : '';
      };

      it('leaves out who was removed, brings back who was suspended, and says how many were left out', async () => {
        const runId = await dropped();
        await tell('3', 'removed');
        await tell('4', 'suspended');
        await tell('5', 'removed', 'kanidm');
        const variables = {
          OPENFGA_URL: server.url,
          OPENFGA_STORE_ID: ground.storeId,
          DATABASE_URL: tables.url,
        };
        const books = await booksOf(tables);
        const preview = await sallyport(variables, 'rules', 'restore', runId, '--dry-run');
        expect(preview).toMatchObject({
          code: 0,
          stdout:
            '20 tuples would come back, 0 copies would be taken away\n' +
            'left out, since their users were removed meanwhile: 1\n' +
            'nothing was changed\n',
        });
        expect([await ground.shown(), await booksOf(tables)]).toEqual([[], books]);
        expect(await sallyport(variables, 'rules', 'restore', runId)).toMatchObject({
          code: 0,
          stdout:
            'restored: 20 tuples came back, 0 copies were taken away\n' +
            'left out, since their users were removed meanwhile: 1\n',
        });
        expect(await ground.shown()).toEqual(shown(without('user:3')));
        expect(await restoreRun(runId, ground.process())).toMatchObject({ already: true, leftOut: 0 });
      });

      it('knows users by what OpenFGA calls them', async () => {
        await tell('3', 'removed');
        await tell('4', 'removed', 'kanidm');
        const users = ['user:3', 'user:4', 'user:zitadel|3', 'user:kanidm|4', 'user:*', 'role:3#assignee'];
        expect(await removedUsers(database, ['zitadel'])(users)).toEqual(
          new Set(['user:3', 'user:kanidm|4']),
        );
        expect(await removedUsers(database, ['kanidm'])(users)).toEqual(
          new Set(['user:4', 'user:zitadel|3']),
        );
      });

      /** The removal comes between the question and the write: its sweep finds nothing yet. */
      const removedInBetween = (deps: RestoreDeps): RestoreDeps => {
        const { read, write } = deps.tuples;
        return {
          ...deps,
          tuples: {
            read,
            async write(changes) {
              await tell('3', 'removed');
              return write(changes);
            },
          },
        };
      };

      it('takes back what it wrote for a user who was removed in that moment, wherever it is killed', async () => {
        const calls = countCalls();
        await restoreRun(await dropped(), removedInBetween(ground.process(calls.crash)));
        expect(await ground.shown()).toEqual(shown(without('user:3')));
        for (let at = 1; at <= calls.count(); at += 1) {
          await tables.query('delete from sallyport_identities');
          await tables.query('delete from sallyport_runs');
          ground = await openGround(server.url, database);
          const runId = await dropped();
          // The very last call only gives the lease back: nobody misses it.
          await restoreRun(runId, removedInBetween(ground.process(killAt(at)))).catch((error: unknown) => {
            expect(error).toBeInstanceOf(Killed);
          });
          await tell('3', 'removed');
          await restoreRun(runId, ground.process());
          expect(await ground.shown(), `call ${at}`).toEqual(shown(without('user:3')));
        }
      });
    });
  },
);
