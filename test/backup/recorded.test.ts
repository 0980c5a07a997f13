import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { postgresMissing } from '../services/postgres.ts';
import { backupStage, execute } from './stage.ts';

/** A database as a real Zitadel made it. */
const DUMP = new URL('../../../shared/recordings/zitadel/dump.custom', import.meta.url).pathname;

describe.skipIf(postgresMissing || !existsSync(DUMP))(
  'a recorded database of Zitadel (needs the postgresql package and ../shared/recordings)',
  () => {
    const stage = backupStage();

    it('is backed up, proven and restored, every table with its rows', async () => {
      const url = await stage.server.createDatabase('recorded');
      execFileSync('pg_restore', ['--no-owner', '--no-privileges', `--dbname=${url}`, DUMP]);
      stage.variables = { ...stage.variables, ZITADEL_DATABASE_URL: url, DATABASE_URL: '' };
      const made = await stage.json('create', '--verify');
      const [tables] = await execute(
        url,
        "select count(*)::int as n from pg_class where relkind = 'r' and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
      );
      expect(made).toMatchObject({ code: 0, proven: true });
      expect(made['parts']).toMatchObject([{ name: 'zitadel', tables: tables?.['n'] }, {}, {}, {}]);
      await execute(url, 'truncate eventstore.events2 cascade; drop schema projections cascade');
      expect(await stage.json('restore', String(made['backup']), '--only', 'zitadel', '--yes')).toMatchObject(
        { code: 0 },
      );
      const [users] = await execute(url, 'select count(*)::int as n from projections.users14');
      expect(users).toEqual({ n: 959 });
    });
  },
);
