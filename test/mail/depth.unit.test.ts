import { expect, it } from 'vitest';
import { measureOutbox } from '../../functions/mail/depth.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import { shareInFlight } from '../../shared/caches/in-flight.ts';
import type { Database } from '../../shared/ports/database.ts';

it('a scrape counts the outbox once for both of its gauges, and each scrape anew', async () => {
  const { metrics } = createPlatform();
  let queries = 0;
  const database: Pick<Database, 'query'> = {
    query: async (_statement, row) => {
      queries += 1;
      return [row.parse({ pending: 3, held: 1, dead: 2, oldestSeconds: 7 })];
    },
  };
  measureOutbox({ metrics, database, collapse: shareInFlight });
  for (const scrape of [1, 2]) {
    const { body } = await metrics.render();
    expect(body).toContain('sallyport_mail_outbox_depth{status="pending"} 3');
    expect(body).toMatch(/sallyport_mail_outbox_oldest_seconds(?:\{[^}]*\})? 7/);
    expect(queries).toBe(scrape);
  }
});
