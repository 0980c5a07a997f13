/** Mails of invitations that outlive the clean-up. */
import { describe, expect, it } from 'vitest';
import { readGated } from '../../cli/db/gated.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { sendAgain } from '../../shared/invitations/again.ts';
import { sql } from '../../shared/ports/database.ts';
import { mailConfig } from '../mail/stage.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { BY, keyRing, PUBLIC_URL, setWaves } from './stage.ts';

describe.each(kindsOf(DATABASES))('waves after the clean-up on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const w = setWaves(kind);

    it('are settled without the columns that it drops: of a cancelled wave, and of a link that was sent again', async () => {
      await w.stage.tenant('acme');
      await w.stage.person('acme', 'ada@example.org');
      await w.stage.begin('one', { cohort: { limit: 1 } });
      await w.stage.drive();
      const bob = await w.stage.person('acme', 'bob@example.org');
      const deps = { database: w.db.database, outbox: w.stage.mailing.outbox, keyRing, provider: null };
      const again = { ...deps, mail: mailConfig(w.smtp.port), publicUrl: PUBLIC_URL };
      expect(await sendAgain(bob, BY, again)).toMatchObject({ ok: true });
      await w.db.database.execute(sql`update sallyport_waves set state = 'cancelled', ended_at = now()`);
      const session = await openPgSession(w.db.url);
      for (const { text } of await readGated()) await session.script(text);
      await session.close();
      await w.stage.run();
      expect(w.mailed()).toEqual(['ada@example.org', 'bob@example.org']);
      expect(
        await w.count(
          sql`select count(*)::int as count from sallyport_invitation_steps where settled_at is null`,
        ),
      ).toBe(0);
    });
  });
});
