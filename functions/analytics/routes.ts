import type { AsCaller } from '../../shared/edge/caller.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import { Refusal } from '../../shared/errors.ts';
import type { Page } from '../../shared/figures/read.ts';
import { InvalidCursor } from '../../shared/figures/read.ts';
import type { Database } from '../../shared/ports/database.ts';
import { viewerOf, type AccessDeps, type Viewer } from './access.ts';
import { answerCsv, answerJson, type Figures } from './answer.ts';

export interface RouteDeps extends AccessDeps {
  readonly database: Database;
  readonly asCaller: AsCaller;
}

/** One read of figures, by the query of the request. Throws Refusal `invalid_request`, InvalidCursor, and as `Database`. */
export interface Asked {
  readonly viewer: Viewer;
  readonly query: URLSearchParams;
  readonly database: Database;
}

export interface FiguresRoute {
  /** Its last part. */
  readonly name: string;
  /** Columns of its CSV, in their order. */
  readonly columns: readonly string[];
  read(asked: Asked): Promise<Figures>;
  /** Pages for its CSV; absent: those of `read`, one by one by their cursors. */
  readonly csvPage?: number;
  /** All rows of its CSV; absent: those of `read`, or its values as one row. */
  table?(asked: Asked): Promise<readonly object[]>;
}

const PREFIX = '/analytics/';

/** A route's two forms: JSON, and the same with `.csv` appended. */
export function figuresRoutes(route: FiguresRoute, deps: RouteDeps): OwnRoute[] {
  const form = (path: string, answer: (asked: Asked) => Promise<Response>): OwnRoute => ({
    path,
    methods: ['GET'],
    quota: 'coarse',
    answer: async (request, context) =>
      deps.asCaller(request, context, async (caller) => {
        const query = new URL(request.url).searchParams;
        const viewer = await viewerOf(caller, query.get('tenant'), deps);
        return answer({ viewer, query, database: deps.database }).catch(refuse);
      }),
  });
  return [
    form(`${PREFIX}${route.name}`, async (asked) => answerJson(await route.read(asked))),
    form(`${PREFIX}${route.name}.csv`, (asked) =>
      answerCsv(`migration-${route.name}`, route.columns, pagesOf(route, asked)),
    ),
  ];
}

async function* pagesOf(route: FiguresRoute, asked: Asked): AsyncGenerator<readonly object[], undefined> {
  if (route.table !== undefined) {
    yield await route.table(asked);
    return undefined;
  }
  const query = new URLSearchParams(asked.query);
  if (route.csvPage !== undefined) query.set('limit', String(route.csvPage));
  for (;;) {
    const figures = await route.read({ ...asked, query });
    yield 'values' in figures ? [figures.values] : figures.rows;
    const next = isPage(figures) ? figures.next : null;
    if (next === null) return undefined;
    query.set('cursor', next);
  }
}

function isPage(figures: Figures): figures is Page<object> {
  return 'next' in figures;
}

function refuse(error: unknown): never {
  if (!(error instanceof InvalidCursor)) throw error;
  throw new Refusal('invalid_request', error.message, { detail: 'cursor: write the `next` of a page.' });
}

/** A whole number among the parameters. Throws Refusal `invalid_request`. */
export function numberIn(
  query: URLSearchParams,
  name: string,
  { usual, least, most }: { readonly usual: number; readonly least: number; readonly most: number },
): number {
  const text = query.get(name);
  if (text === null) return usual;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw malformed(`${name}: write a whole number from ${least} to ${most}.`);
}

/** One of several words among the parameters. Throws Refusal `invalid_request`. */
export function wordIn<Word extends string>(
  query: URLSearchParams,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const word = words.find((each) => each === text);
  if (word === undefined) throw malformed(`${name}: write one of ${words.join(', ')}.`);
  return word;
}

export function malformed(detail: string): Refusal {
  return new Refusal('invalid_request', detail, { detail });
}
