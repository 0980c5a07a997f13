import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { program } from '../../cli/main.ts';
import { adviceOn, shell } from '../../functions/analytics/page/advice.ts';
import { htmlAnswer, localPath } from '../../functions/analytics/page/answer.tsx';
import { axisEnd, percent } from '../../functions/analytics/page/format.ts';
import type { Overview } from '../../functions/analytics/page/model.ts';
import { Glance } from '../../functions/analytics/page/glance.tsx';
import { pageRoutes } from '../../functions/analytics/page/routes.tsx';
import { viewerOf } from '../../functions/analytics/access.ts';
import type { Caller } from '../../shared/edge/caller.ts';
import { PeopleTable } from '../../functions/analytics/page/people.tsx';
import { ofOneSnapshot } from '../../functions/analytics/page/reading.ts';
import { WavePage } from '../../functions/analytics/page/wave.tsx';
import type { PendingPerson } from '../../shared/figures/pending.ts';
import type { Overall, TenantFigures } from '../../shared/figures/read.ts';
import type { WaveFigures } from '../../shared/figures/waves.ts';
import { assetNames, target } from '../../scripts/page-assets.mjs';

const AS_OF = '2026-03-02T10:05:00.000Z';
const OVERALL: Overall = {
  ...{ total_users: 100, kanidm_only: 10, dual_auth: 60, password_only: 30, migration_percent: 70 },
  ...{
    provisioned: 70,
    invited: 50,
    completed: 40,
    dormant: 5,
    excluded: 1,
    unreachable: 2,
    active: 99,
    settled: 41,
  },
};
const TENANT: TenantFigures = {
  ...{ tenant_name: 'Acme', slug: 'acme', tenant_id: '00000000-0000-4000-8000-00000000000a' },
  ...{ password_users: 0, kanidm_users: 5, dual_users: 5, migration_percent: 100, total_users: 10 },
  ...{ deadline: null, confirmed: null, completed: 10, excluded: 0, active: 10, settled: 10 },
};
const WAVE: WaveFigures = {
  ...{ wave_id: '00000000-0000-4000-8000-00000000000b', name: 'friends', state: 'running', start_at: AS_OF },
  ...{ deadline: null, pause_reason: null, invited: 5, delivered: 5, seen: 4, accepted: 4, completed: 3 },
};

function seen(change: Partial<Overview> = {}, slug: string | null = null) {
  const rows = { as_of: AS_OF, rows: [] };
  return {
    ...{ overall: { as_of: AS_OF, values: OVERALL }, tenants: { ...rows, next: null } },
    ...{ daily: rows, funnel: rows, waves: rows, stuck: { ...rows, next: null }, paused: false, slug },
    ...change,
  };
}

/** What is wrong with a command line, by the command line itself; undefined for nothing. */
function fault(line: string, whole: Command): string | undefined {
  const [first, ...words] = line.split(' ');
  if (first !== 'sallyport') return `${line} is no command`;
  let at = whole;
  while (words[0] !== undefined) {
    const next = at.commands.find((each) => each.name() === words[0]);
    if (next === undefined) break;
    at = next;
    words.shift();
  }
  const options = words.filter((word) => word.startsWith('--'));
  const unknown = options.find((word) => !at.options.some(({ long }) => long === word));
  if (at.commands.length > 0 || unknown !== undefined) return `${line}: ${unknown ?? words[0] ?? ''}`;
  const missing = at.registeredArguments.filter(({ required }) => required).length > 0 && words.length === 0;
  return missing ? `${line} lacks an argument` : undefined;
}

const tags = /<[^>]+>/g;
const commandsIn = async (element: Parameters<typeof htmlAnswer>[0]): Promise<string[]> =>
  [...(await htmlAnswer(element).text()).matchAll(/<code>(.*?)<\/code>/g)].map(([, line = '']) =>
    line.replace(tags, '').replaceAll('&#39;', "'"),
  );

describe('pages of figures', () => {
  it('name commands that there are, with options that they take', async () => {
    const whole = await program();
    const waves = (['planned', 'starting', 'running', 'paused', 'done', 'cancelled'] as const).map(
      (state) => ({
        ...WAVE,
        state,
      }),
    );
    const nearly = { ...TENANT, slug: 'beta', settled: 96, active: 100 };
    const done = { ...OVERALL, settled: 99 };
    const advice = [
      seen({ paused: true, waves: { as_of: AS_OF, rows: waves.slice(0, 3) } }),
      seen({ tenants: { as_of: AS_OF, rows: [TENANT, nearly], next: null } }),
      seen({ overall: { as_of: null, values: OVERALL } }),
      seen({ overall: { as_of: AS_OF, values: done } }),
      seen({}, 'acme'),
    ].flatMap(adviceOn);
    const lines = advice.flatMap(({ command }) => command ?? []);
    for (const wave of waves)
      lines.push(...(await commandsIn(WavePage({ wave, funnel: [], query: '', seesAll: true }))));
    const states = ['not_invited', 'provisioned', 'invited', 'excluded'] as const;
    const whys = [
      'no mail reaches the address',
      'the account is suspended',
      'no account at the provider: refused',
      'x',
    ];
    const people = states.flatMap((state) =>
      whys.map((why): PendingPerson => ({
        ...{ email: "o'hara@example.org", full_name: null, last_login_at: null, migration_invited_at: null },
        ...{ state, why, tenant: 'acme', user_id: '00000000-0000-4000-8000-00000000000c' },
      })),
    );
    lines.push(...(await commandsIn(PeopleTable({ people, commands: true, caption: 'People' }))));
    expect(new Set(lines).size).toBeGreaterThan(18);
    expect(lines.flatMap((line) => fault(line, whole) ?? [])).toEqual([]);
  });

  it('quote for a shell what it would read otherwise', () => {
    expect(shell('friends')).toBe('friends');
    expect(shell("a'; rm -rf x")).toBe(`'a'\\''; rm -rf x'`);
  });

  it('show figures of one time alone: where a refresh came between two reads, all are read again', async () => {
    const reads = [
      ['a', 'b'],
      ['b', 'b'],
    ];
    const read = () => Promise.resolve((reads.shift() ?? []).map((as_of) => ({ as_of })));
    expect(await ofOneSnapshot(read, (all) => all)).toEqual([{ as_of: 'b' }, { as_of: 'b' }]);
    let n = 0;
    const restless = () => Promise.resolve([{ as_of: String((n += 1)) }, { as_of: null }]);
    await expect(ofOneSnapshot(restless, (all) => all)).rejects.toThrow('change faster');
  });

  it('lead nowhere but to pages of figures after sign-in', () => {
    expect(localPath('/analytics/people?state=invited')).toBe('/analytics/people?state=invited');
    for (const path of [
      null,
      '',
      '//evil.example',
      'https://evil.example',
      '/analytics/../x#',
      '/analytics\\x',
      '/other',
    ])
      expect(localPath(path)).toBe('/analytics');
  });

  it('call nothing reached that is to come, however certain it is', async () => {
    const glance = (date: string) => {
      const ahead = { date, low: date, high: date };
      const forecast = { p95: ahead, p100: ahead, on_track: true, target: null };
      const judged = { kpis: [], forecast, alarms: [] };
      const day = { migration_date: '2026-03-02', users_migrated: 1, invited: 0 };
      const rows = [{ ...day, password_logins: 0, oauth_logins: 0, oauth_failures: 0 }];
      const { overall } = seen();
      return htmlAnswer(
        Glance({ overall, daily: { as_of: AS_OF, rows }, judged, of: null, tenant: null }),
      ).text();
    };
    expect(await glance('2026-03-02')).toContain('reached');
    expect(await glance('2026-03-03')).not.toContain('reached');
    expect(await glance('2026-03-03')).toContain('as good as certain');
  });

  it('let an admin of several tenants choose one, and name it in every link that asked for a page', async () => {
    const caller: Caller = {
      ...{ user: 'user:1', subject: '1', issuer: 'kanidm' },
      tenants: () =>
        ['birch', 'acme', 'cedar'].map((slug, at) => ({
          ...{ slug, tenantId: `00000000-0000-4000-8000-00000000000${at}` },
          role: slug === 'cedar' ? 'user' : 'admin',
        })),
    };
    const nothing = () => Promise.reject(new Error('nothing is read'));
    const deps = {
      database: { query: nothing, execute: nothing, transaction: nothing, ping: nothing, close: nothing },
      relations: { check: () => Promise.resolve(false) },
      platform: { asset: nothing },
      asCaller: (
        _request: Request,
        _context: unknown,
        answer: (who: Caller) => Response | Promise<Response>,
      ) => Promise.resolve(answer(caller)),
    };
    const config = {
      ...{ passwordDoor: true, clients: [], mailEventsSecret: null },
      brand: { product: 'Inventory', supportEmail: null, guideUrl: null },
    };
    const routes = pageRoutes(deps, config);
    const asked = async (path: string) => {
      const route = routes.findLast((each) => path.startsWith(each.path))!;
      const context = { id: '1', address: '', body: nothing, setCookies: () => undefined };
      return route.answer(new Request(`https://app.example.org${path}`), context);
    };
    const hrefs = async (path: string) => {
      const answer = await asked(path);
      expect(answer.status).toBe(200);
      return [...(await answer.text()).matchAll(/<li><a href="([^"]*)"/g)].map(([, href = '']) => href);
    };
    expect(await hrefs('/analytics')).toEqual(['/analytics?tenant=acme', '/analytics?tenant=birch']);
    expect(await hrefs('/analytics/tenant/')).toEqual(['/analytics?tenant=acme', '/analytics?tenant=birch']);
    expect(await hrefs('/analytics/people?state=invited&cursor=x')).toEqual([
      '/analytics/people?state=invited&amp;tenant=acme',
      '/analytics/people?state=invited&amp;tenant=birch',
    ]);
    await expect(viewerOf(caller, null, deps)).rejects.toMatchObject({
      ...{ code: 'tenant_required', status: 403 },
      detail: 'You are admin of several tenants. Name one of them as tenant: acme, birch.',
    });
    expect(await viewerOf(caller, 'birch', deps)).toMatchObject({ slug: 'birch', seesAll: false });
    await expect(viewerOf(caller, 'cedar', deps)).rejects.toMatchObject({ code: 'wrong_tenant' });
  });

  it('round down, so that 100 % is everybody', () => {
    expect(percent(99.99)).toBe('99.9 %');
    expect(percent(100)).toBe('100.0 %');
    expect(percent(null)).toBe('–');
    expect([0, 3, 11, 87, 730, 1_001].map(axisEnd)).toEqual([4, 4, 20, 100, 1_000, 2_000]);
  });

  it('take assets by the hash of what these are', () => {
    expect(readFileSync(target, 'utf8')).toBe(assetNames());
  });
});
