/**
 * Processes of `sallyport zitadel import` and `recover` die by SIGKILL: at a piece that they or their children send to Postgres, within a
 * COPY as well, and at a line of their journal, between the steps. Whoever goes on, the database is the former one or the new one, whole.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresMissing } from '../services/postgres.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { FULL, times } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { cutProxy, type CutProxy } from './cut-proxy.ts';
import { openImportGround, type ImportGround } from './import-ground.ts';

const NEW = { people: 400, prefix: 'new', payloadBytes: 2_000 };
const OLD = { people: 300, prefix: 'old', payloadBytes: 2_000 };
/** A real one, where the recordings are; its masterkey is Zitadel's example. */
const REAL = fileURLToPath(new URL('../../../shared/recordings/zitadel/dump.custom', import.meta.url));
const KILLS = times(16, 2);
const REAL_KILLS = 6;
/** Of those who go on, or back. */
const MORE_KILLS = times(2, 1);

describe.skipIf(postgresMissing)('kill -9 of an import (needs the postgresql package)', () => {
  const random = seeded(20_260_131);
  let ground: ImportGround;
  let proxy: CutProxy;
  beforeAll(async () => {
    ground = await openImportGround();
    proxy = await cutProxy(ground.postgres.url);
  });
  afterAll(async () => {
    await proxy.close();
    await ground.close();
  });

  const variables = (masterkey?: string) => ({
    ...ground.variables(),
    ZITADEL_DATABASE_URL: proxy.url.replace(/\/postgres$/, '/zitadel'),
    ...(masterkey !== undefined && { ZITADEL_MASTERKEY: masterkey }),
  });
  /** Rows of all tables of both kinds of data: two databases that differ in one row differ here. */
  const whole = (database: string) =>
    ground.query(
      `select string_agg(t, ';' order by t) from (select format('%s.%s %s', schemaname, relname, (xpath('/row/c/text()',
         query_to_xml(format('select count(*) as c from %I.%I', schemaname, relname), false, true, '')))[1]) as t from pg_stat_user_tables) tables`,
      database,
    );
  const backups = () => join(ground.folder, 'backups');
  const runs = () =>
    existsSync(backups()) ? readdirSync(backups()).filter((name) => name.startsWith('import-')) : [];
  const journalLines = (before: number): number => {
    const run = runs().sort()[before];
    const file = run === undefined ? '' : join(backups(), run, 'journal.jsonl');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  };

  /** Its exit code, 0, or SIGKILL. */
  async function endOf(child: ChildProcess): Promise<number | string> {
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stdout!.resume();
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect([0, 'SIGKILL'], said).toContain(code ?? signal);
    return code ?? signal ?? 0;
  }

  async function killedAtPiece(args: readonly string[], at: number, masterkey?: string): Promise<boolean> {
    const child = spawnSallyport(variables(masterkey), 'zitadel', 'import', ...args);
    proxy.arm(at, () => child.kill('SIGKILL'));
    const ended = await endOf(child);
    proxy.arm(Infinity, () => undefined);
    return ended === 'SIGKILL';
  }

  async function killedAtLine(args: readonly string[], line: number): Promise<boolean> {
    const before = runs().length;
    const child = spawnSallyport(variables(), 'zitadel', 'import', ...args);
    const ended = endOf(child);
    while (child.exitCode === null && child.signalCode === null) {
      if (journalLines(before) >= line) child.kill('SIGKILL');
      await setImmediate();
    }
    return (await ended) === 'SIGKILL';
  }

  const fresh = () => ground.reset(OLD);

  /** Goes on, or back, by commands that are killed too, and shows that the end is whole. */
  async function mended(
    way: 'on' | 'back',
    states: { readonly old: string; readonly new: string },
    masterkey?: string,
  ) {
    expect([states.old, states.new]).toContain(await whole('zitadel'));
    const args = way === 'on' ? ['--resume'] : ['recover', '--yes'];
    for (
      let deaths = 0;
      await killedAtPiece(args, deaths < MORE_KILLS ? 1 + random(60) : Infinity, masterkey);
      deaths += 1
    )
      expect([states.old, states.new]).toContain(await whole('zitadel'));
    expect(await whole('zitadel')).toBe(way === 'on' ? states.new : states.old);
    await ground.import(variables(masterkey), 'finish', '--yes');
    expect(await ground.databases()).toEqual(['zitadel']);
  }

  async function statesWith(dump: string, masterkey?: string) {
    await fresh();
    const old = await whole('zitadel');
    proxy.arm(Infinity, () => undefined);
    await ground.import(variables(masterkey), dump, '--yes');
    return { old, new: await whole('zitadel'), pieces: proxy.pieces };
  }

  it.each((['custom', 'plain'] as const).slice(0, times(2, 1)))(
    'leaves the former database or the new one, whole, at any piece that is sent (%s)',
    { timeout: 3_600_000 },
    async (format) => {
      const dump = await ground.dump(format, NEW);
      const states = await statesWith(dump);
      expect(states.new).not.toBe(states.old);
      const total = states.pieces;
      let killed = 0;
      for (let round = 0; round < KILLS; round += 1) {
        await fresh();
        const before = runs().length;
        const at = 1 + Math.floor(((round + random(100) / 100) / KILLS) * total);
        killed += (await killedAtPiece([dump, '--yes'], at)) ? 1 : 0;
        if (runs().length === before) expect(await ground.databases()).toEqual(['zitadel']);
        else await mended(round % 2 === 0 ? 'on' : 'back', states);
      }
      expect(killed).toBeGreaterThan(0);
    },
  );

  it(
    'leaves the former database or the new one, whole, at any line of its journal',
    { timeout: 3_600_000 },
    async () => {
      const dump = await ground.dump('custom', NEW);
      const states = await statesWith(dump);
      const lines = journalLines(runs().length - 1);
      expect(lines).toBeGreaterThan(8);
      for (let line = FULL ? 1 : 5; line <= lines; line += FULL ? 1 : 8) {
        await fresh();
        await killedAtLine([dump, '--yes'], line);
        await mended(line % 2 === 0 ? 'on' : 'back', states);
      }
    },
  );

  if (FULL)
    it.skipIf(!existsSync(REAL))(
      'leaves the former database or the new one, whole, with a real dump (needs the recordings)',
      { timeout: 3_600_000 },
      async () => {
        const masterkey = 'MasterkeyNeedsToHave32Characters';
        const states = await statesWith(REAL, masterkey);
        for (let round = 0; round < REAL_KILLS; round += 1) {
          await fresh();
          const before = runs().length;
          await killedAtPiece([REAL, '--yes'], 1 + random(states.pieces), masterkey);
          if (runs().length > before) await mended(round % 2 === 0 ? 'on' : 'back', states, masterkey);
        }
      },
    );
});
