/** What a forecast is made of. Days are of UTC, as YYYY-MM-DD. */
export interface Course {
  /** The day of the figures: not over yet, so that its pace does not count. */
  readonly day: string;
  /** People of status active, and those of them who have completed or are excluded. */
  readonly active: number;
  readonly settled: number;
  /** First sign-ins by OAuth2 by day; absent days have none. */
  readonly completed: ReadonlyMap<string, number>;
  /** The day of the first invitations; null: before them. */
  readonly since: string | null;
}

/** When a share is reached, and the interval that holds the day with 80 %. Null: not within ten years, at this pace. */
export interface Reached {
  readonly date: string | null;
  readonly low: string | null;
  readonly high: string | null;
}

export interface Forecast {
  readonly p95: Reached;
  readonly p100: Reached;
  /** Whether p95 is compatible with the target; null while nothing can be said: no wave yet, or no pace in its first week. */
  readonly on_track: boolean | null;
  /** Days after `since`; null without. */
  readonly target: string | null;
}

/** 95 % of people within 60 days. */
export const TARGET = { share: 0.95, days: 60 };

const WINDOW_DAYS = 28;
const WEEK = 7;
const HORIZON_DAYS = 3_660;
const DAY_MS = 86_400_000;
/** Of the normal distribution: 10 % below, 10 % above. */
const Z = 1.2816;

const NEVER: Reached = { date: null, low: null, high: null };

/**
 * Days on which 95 % and 100 % of people are across, from the pace of the last 28 days by weekday. Sign-ins of a weekday are taken as
 * quasi-Poisson: variance and mean differ by one factor, estimated from the same days. The interval covers both the days to come and
 * how little 28 days say about the pace, which makes it grow with the distance.
 */
export function forecast(course: Course): Forecast {
  const { since, settled, active } = course;
  const target = since === null ? null : plusDays(since, TARGET.days);
  const pace = paceOf(course);
  const [p95 = NEVER, p100 = NEVER] = [TARGET.share, 1].map((share) => {
    if (active === 0) return NEVER;
    const needed = peopleFor(share, active);
    if (settled >= needed) return reached(course, needed);
    return pace === null ? NEVER : ahead(course.day, needed - settled, pace);
  });
  return { p95, p100, on_track: onTrack(course, p95, target), target };
}

/** The fewest people that make up a share; a product such as 0.95 * 20 must not end up above 19 by its representation. */
export function peopleFor(share: number, active: number): number {
  return Math.ceil(Number((share * active).toFixed(6)));
}

function onTrack({ day, since, active, settled }: Course, p95: Reached, target: string | null) {
  if (target === null || since === null || active === 0) return null;
  if (settled >= peopleFor(TARGET.share, active)) return p95.date !== null && p95.date <= target;
  if (p95.low !== null) return p95.low <= target;
  return daysBetween(since, day) < WEEK ? null : false;
}

/** By weekday, that of the day after the figures first: the mean per day, and how many days it was taken from. */
export interface Pace {
  readonly means: readonly number[];
  readonly days: readonly number[];
  /** Variance over mean. */
  readonly spread: number;
}

/** Null without any sign-in. Days before anybody was asked do not count, a week is taken at least. */
export function paceOf({ day, since, completed }: Course): Pace | null {
  const asked = since === null ? WINDOW_DAYS : daysBetween(since, day);
  const length = Math.min(WINDOW_DAYS, Math.max(WEEK, asked));
  const counts = Array.from({ length }, (_none, back) => completed.get(plusDays(day, -1 - back)) ?? 0);
  if (counts.every((count) => count === 0)) return null;
  // Place 0 is the weekday of tomorrow. Yesterday, at `back` 0, is of that in six days: place 5.
  const of = Array.from({ length: WEEK }, (_none, at) =>
    counts.filter((_count, back) => (2 * WEEK - 2 - (back % WEEK)) % WEEK === at),
  );
  const means = of.map(meanOf);
  // One day of each kind says nothing about its spread: then the whole week is taken as of one kind.
  const groups = length < 2 * WEEK ? [counts] : of;
  return { means, days: of.map(({ length: days }) => days), spread: spreadOf(groups) };
}

function meanOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0) / counts.length;
}

/** Pearson's estimate, never below that of independent people. */
function spreadOf(groups: readonly (readonly number[])[]): number {
  const some = groups.filter((counts) => meanOf(counts) > 0);
  const freedom = some.reduce((sum, counts) => sum + counts.length - 1, 0);
  if (freedom === 0) return 1;
  const distance = some.reduce((sum, counts) => {
    const mean = meanOf(counts);
    return sum + counts.reduce((own, count) => own + (count - mean) ** 2 / mean, 0);
  }, 0);
  return Math.max(1, distance / freedom);
}

/** The first days on which the expected sum, and both ends of its interval, have reached `people`. */
function ahead(day: string, people: number, { means, days, spread }: Pace): Reached {
  const passed = means.map(() => 0);
  const found: { date: string | null; low: string | null; high: string | null } = { ...NEVER };
  let expected = 0;
  for (let n = 1; n <= HORIZON_DAYS && found.high === null; n += 1) {
    const weekday = (n - 1) % WEEK;
    passed[weekday] = (passed[weekday] ?? 0) + 1;
    expected += means[weekday] ?? 0;
    const variance = means.reduce((sum, mean, at) => {
      const count = passed[at] ?? 0;
      return sum + spread * mean * (count + count ** 2 / (days[at] ?? 1));
    }, 0);
    const width = Z * Math.sqrt(variance);
    if (expected + width >= people) found.low ??= plusDays(day, n);
    if (expected >= people) found.date ??= plusDays(day, n);
    if (expected - width >= people) found.high ??= plusDays(day, n);
  }
  return found;
}

/** The day at whose end so many were across; people who were excluded count from the start, as no day of theirs is kept. */
function reached({ day, settled, completed }: Course, needed: number): Reached {
  let left = settled;
  const days = [...completed]
    .filter(([at, count]) => at <= day && count > 0)
    .sort(([a], [b]) => (a < b ? 1 : -1));
  let date = days[0]?.[0] ?? day;
  for (const [at, count] of days) {
    date = at;
    left -= count;
    if (left < needed) break;
  }
  return { date, low: date, high: date };
}

export function plusDays(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}

/** Whole days. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS);
}
