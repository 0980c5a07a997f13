import * as z from 'zod';
import { sql } from '../../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../../database/open.ts';
import { SAMPLES, type Finding } from '../findings.ts';
import { isLess } from '../projections.ts';
import { databaseSide } from './database-side.ts';
import { differing, isSame, totalOf, type Fingerprint } from './fingerprint.ts';
import type { HashedRow, Selection, Side } from './side.ts';
import { EVENTS, fullName, pairsOf, type ComparedTable, type Pair } from './tables.ts';

/** Parts of a table whose rows are listed; more differ in much. */
const LISTED_PARTS = 64;
const LISTED_ROWS = 20_000;
/** Above this, events are compared as a whole by sample. */
const WHOLE_EVENTS = 1_000_000;
/** Aggregates with newer events; more are not set aside. */
const CHANGED = 100_000;

/**
 * What the other side holds and this database does not, or holds differently. What has changed here by events that are newer than
 * the other side's newest is set aside: those are no difference of the copy.
 */
export async function compareWith(
  zitadel: ZitadelDatabase,
  there: Side,
  instances: readonly string[] | null,
): Promise<readonly Finding[]> {
  const here = await databaseSide(zitadel);
  const [ownHead, head] = [await here.head(instances), await there.head(instances)];
  const newer = isLess(head, ownHead);
  const changed = newer ? await changedSince(zitadel, instances, head) : new Set<string>();
  const selection: Selection = {
    instances,
    upTo: head,
    changed,
    wholeEvents: (await eventsOf(zitadel)) <= WHOLE_EVENTS,
  };
  const pairs = pairsOf(here, there);
  const present = pairs.filter((pair): pair is Both => pair.there !== null);
  const differs = await differences(here, there, present, selection);
  return [
    ...newerNotes({ newer, changed, head, ownHead }),
    ...pairs.flatMap(({ here: table, there: other }) => (other === null ? [onlyHere(table)] : [])),
    ...(await listed(here, there, differs, selection)),
  ];
}

const NONE: Fingerprint = new Map();

/** First whole tables, on both sides at the same time, then the parts of those that differ. */
async function differences(
  here: Side,
  there: Side,
  pairs: readonly Both[],
  selection: Selection,
): Promise<readonly Difference[]> {
  const both = <T>(
    of: readonly Both[],
    take: (side: Side, tables: readonly ComparedTable[]) => Promise<ReadonlyMap<string, T>>,
  ) =>
    Promise.all([
      take(
        here,
        of.map((pair) => pair.here),
      ),
      take(
        there,
        of.map((pair) => pair.there),
      ),
    ]);
  const [own, others] = await both(pairs, (side, tables) => side.totals(tables, selection));
  const different = pairs.filter(
    (pair) => !isSame(own.get(fullName(pair.here)), others.get(fullName(pair.there))),
  );
  const [ones, theirs] = await both(different, (side, tables) => side.fingerprints(tables, selection));
  return different.map((pair) => {
    const one = ones.get(fullName(pair.here)) ?? NONE;
    const other = theirs.get(fullName(pair.there)) ?? NONE;
    return { pair, one, other, parts: differing(one, other) };
  });
}

interface Both extends Pair {
  readonly there: ComparedTable;
}

interface Difference {
  readonly pair: Both;
  readonly one: Fingerprint;
  readonly other: Fingerprint;
  readonly parts: readonly string[];
}

const Id = z.object({ id: z.string() });

async function changedSince(
  zitadel: ZitadelDatabase,
  instances: readonly string[] | null,
  head: string,
): Promise<ReadonlySet<string>> {
  const rows = await zitadel.query(
    sql`select distinct aggregate_id as id from eventstore.events2
        where (${instances}::text[] is null or instance_id = any(${instances}::text[])) and position > ${head}::numeric
        limit ${CHANGED + 1}::int`,
    Id,
  );
  return new Set(rows.length > CHANGED ? [] : rows.map(({ id }) => id));
}

async function eventsOf(zitadel: ZitadelDatabase): Promise<number> {
  const [row] = await zitadel.query(
    sql`select count(*) as events from (select 1 from eventstore.events2 limit ${WHOLE_EVENTS + 1}::int) as few`,
    z.object({ events: z.number() }),
  );
  return row?.events ?? 0;
}

function newerNotes(known: {
  readonly newer: boolean;
  readonly changed: ReadonlySet<string>;
  readonly head: string;
  readonly ownHead: string;
}): Finding[] {
  const { newer, changed, head, ownHead } = known;
  if (!newer) return [];
  const found =
    changed.size === 0
      ? `newest at ${ownHead}; so much has changed since that nothing is set aside`
      : `newest at ${ownHead}; ${changed.size} aggregates have changed since and are not compared`;
  return [note('events', `newest event at ${head}`, found)];
}

function onlyHere(table: ComparedTable): Finding {
  return note(fullName(table), 'the same table on the other side', 'none: another release; not compared');
}

function note(what: string, expected: string, found: string): Finding {
  return { check: 'against', what, expected, found, samples: [], fault: false };
}

/** What exactly differs, row by row, as far as few parts do. */
async function listed(
  here: Side,
  there: Side,
  differs: readonly Difference[],
  selection: Selection,
): Promise<readonly Finding[]> {
  if (differs.length === 0) return [];
  const few = (table: (pair: Both) => ComparedTable) =>
    new Map(differs.map(({ pair, parts }) => [table(pair), parts.slice(0, LISTED_PARTS)]));
  const own = await here.rows(
    few((pair) => pair.here),
    selection,
    LISTED_ROWS,
  );
  const others = await there.rows(
    few((pair) => pair.there),
    selection,
    LISTED_ROWS,
  );
  return differs.map((each) =>
    findingOf(each, own.get(fullName(each.pair.here)) ?? [], others.get(fullName(each.pair.there)) ?? []),
  );
}

function findingOf(
  { pair, one, other, parts }: Difference,
  own: readonly HashedRow[],
  others: readonly HashedRow[],
): Finding {
  const ownHashes = new Set(own.map(({ hash }) => hash));
  const otherHashes = new Set(others.map(({ hash }) => hash));
  const onlyOwn = new Set(own.filter(({ hash }) => !otherHashes.has(hash)).map(({ key }) => key));
  const onlyOther = new Set(others.filter(({ hash }) => !ownHashes.has(hash)).map(({ key }) => key));
  const changed = [...onlyOther].filter((key) => onlyOwn.has(key));
  const missing = [...onlyOther].filter((key) => !onlyOwn.has(key));
  const extra = [...onlyOwn].filter((key) => !onlyOther.has(key));
  const kinds = [
    [missing, 'missing'],
    [extra, 'too many'],
    [changed, 'changed'],
  ] as const;
  const most = parts.length > LISTED_PARTS ? 'at least ' : '';
  const what = kinds
    .filter(([keys]) => keys.length > 0)
    .map(([keys, name]) => `${most}${keys.length} ${name}`);
  const sampled = fullName(pair.here) === EVENTS ? 'events' : 'rows';
  return {
    check: 'against',
    what: fullName(pair.here),
    expected: `${totalOf(other).rows} ${sampled}`,
    found: `${totalOf(one).rows} ${sampled}: ${what.length === 0 ? 'they differ' : what.join(', ')}`,
    samples: [...missing, ...extra, ...changed].slice(0, SAMPLES),
    fault: true,
  };
}
