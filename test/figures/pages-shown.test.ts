/** What the pages of figures show, wide and narrow, light and dark, and on paper. */
import { expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { LOOKS, violations } from '../services/chromium.ts';
import { attributes, pagesSuite, tableOf } from './pages.ts';

const PAGES = [
  '/analytics',
  '/analytics/tenant/',
  '/analytics/tenant/cobalt',
  '/analytics/wave/friends',
  '/analytics/people?state=invited',
];

pagesSuite('pages of figures, looked at', (stage) => {
  it('shows the numbers of the database, each text as it is', async () => {
    const { page, complaints } = await stage.signedIn(stage.move.viewer);
    const text = (selector: string): Promise<string> => page.locator(selector).innerText();
    const rows = await stage.database.query(
      sql`select t.name, count(*) filter (where u.status = 'active')::int as active, count(*)::int as total,
              count(*) filter (where u.status = 'active' and (u.migration_completed_at is not null or p.excluded_at is not null))::int as settled,
              count(u.migration_completed_at)::int as completed
            from users u join tenants t on t.tenant_id = u.tenant_id left join sallyport_people p on p.user_id = u.user_id
            where u.deleted_at is null group by t.name`,
      z.object({
        name: z.string(),
        active: z.number(),
        total: z.number(),
        settled: z.number(),
        completed: z.number(),
      }),
    );
    const sum = (of: 'active' | 'settled'): number => rows.reduce((all, row) => all + row[of], 0);
    const shown = (value: number): string => value.toLocaleString('en');
    const share = (part: number, whole: number): string =>
      `${(Math.floor((1000 * part) / whole) / 10).toFixed(1)} %`;
    expect(await text('#across')).toBe(share(sum('settled'), sum('active')));
    expect(await text('#glance .figure')).toContain(
      `${shown(sum('settled'))} of ${shown(sum('active'))} active people`,
    );
    const table = await tableOf(page, '#tenants');
    const column = (cells: readonly (string | null)[]) => [cells[0], cells[2], cells[3], cells[4], cells[5]];
    expect(table.map(column).sort()).toEqual(
      rows
        .map((row) => [
          row.name,
          share(row.settled, row.active),
          shown(row.active - row.settled),
          shown(row.completed),
          shown(row.total),
        ])
        .sort(),
    );
    expect(await text('.alarms')).toContain('More than 2 % of mails bounce: 9 of 214 mails');
    expect(await page.title()).not.toBe('taken');
    const [state] = await stage.database.query(
      sql`select as_of from sallyport_figures_state`,
      z.object({ as_of: z.date() }),
    );
    expect(await page.locator('#as-of time').getAttribute('datetime')).toBe(state?.as_of.toISOString());
    const across = await stage.database.query(
      sql`select (migration_completed_at at time zone 'UTC')::date::text as day, count(*)::int as n from users
            where migration_completed_at >= current_date - 30 group by 1 order by 1 desc`,
      z.object({ day: z.string(), n: z.number() }),
    );
    const listed = (await tableOf(page, '#completions')).map(([day = '', n = '']) => [day, n]);
    expect(listed.filter(([, n]) => n !== '0')).toEqual(across.map(({ day, n }) => [day, shown(n)]));
    // The picture says the same as its table.
    expect(await attributes(page, '#completions .hit', 'data-tip')).toEqual(
      listed.map(([day, n]) => `${day ?? ''}: ${n ?? ''} across`).reverse(),
    );
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.each(LOOKS)(
    'has no serious fault for who cannot see or use a pointer, fits, and fetches nothing elsewhere at $width px, $colorScheme',
    async (look) => {
      const { page, complaints, overflow } = await stage.signedIn(stage.move.viewer, '/analytics', look);
      for (const path of PAGES) {
        await page.goto(stage.url(path));
        await page.locator('main h1').waitFor();
        expect(await violations(page), path).toEqual([]);
        expect(await overflow(), path).toBe(0);
      }
      expect(complaints).toEqual([]);
      await page.close();
    },
  );

  it('prints on one sheet', async () => {
    const { page } = await stage.signedIn(stage.move.viewer);
    for (const path of ['/analytics', '/analytics/tenant/harbour', '/analytics/wave/friends']) {
      await page.goto(stage.url(path));
      const sheet = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
      expect(sheet.match(/\/Type\s*\/Page\b/g)?.length, path).toBe(1);
    }
    await page.close();
  });
});
