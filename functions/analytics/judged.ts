import { forecastOf, kpisOf, readCourse, type Reading } from '../../shared/figures/kpis.ts';
import type { Reached } from '../../shared/figures/forecast.ts';
import { malformed, type Asked, type FiguresRoute } from './routes.ts';

/** `ticketsTaken`: tickets can be reported here. */
export function judgedRoutes(ticketsTaken: boolean): readonly FiguresRoute[] {
  const reading = ({ database, viewer, query }: Asked): Promise<Reading> =>
    readCourse(database, viewer.scope, { since: timeIn(query, 'since'), ticketsTaken });
  const kpis: FiguresRoute = {
    name: 'kpis',
    columns: ['kpi', 'target', 'target_value', 'unit', 'value', 'met', 'since', 'note'],
    read: async (asked) => kpisOf(await reading(asked)),
  };
  const forecast: FiguresRoute = {
    name: 'forecast',
    columns: ['share', 'date', 'low', 'high', 'on_track', 'target'],
    read: async (asked) => forecastOf(await reading(asked)),
    async table(asked) {
      const { values } = forecastOf(await reading(asked));
      const row = (share: number, reached: Reached): object => ({ share, ...reached });
      return [
        { ...row(95, values.p95), on_track: values.on_track, target: values.target },
        row(100, values.p100),
      ];
    },
  };
  return [kpis, forecast];
}

/** A day, or a time as RFC 3339 has it. Throws Refusal `invalid_request`. */
function timeIn(query: URLSearchParams, name: string): Date | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const time = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? new Date(text) : undefined;
  // A day that its month does not have is read as one of the next.
  if (time !== undefined && !Number.isNaN(time.getTime()) && isRealDay(text)) return time;
  throw malformed(`${name}: write a day as 2027-01-31, or a time as RFC 3339 has it.`);
}

function isRealDay(text: string): boolean {
  const day = text.slice(0, 10);
  const read = new Date(day);
  return !Number.isNaN(read.getTime()) && read.toISOString().slice(0, 10) === day;
}
