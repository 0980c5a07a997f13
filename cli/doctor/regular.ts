import * as z from 'zod';
import { functionsOn, scheduleOf } from '../../functions/catalogue.ts';
import { readStates } from '../../functions/cron/runs.ts';
import { FEATURE_SYNC as RUNS } from '../../functions/feature-sync/runs.ts';
import { FEATURE_SYNC } from '../../functions/feature-sync/slice.ts';
import { readFeatureRules } from '../../functions/synced-rules.ts';
import { textSource, type TextSource } from '../../shared/configuration/values.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { ALARM_TITLES, ALARMS, standingAlarms, URGENT } from '../../shared/figures/alarms.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { whyUnreadable } from '../../shared/system-errors.ts';
import { environment } from '../terminal.ts';
import { isSet, partOf, withDatabase, type DoctorGround } from './ground.ts';

const MINUTE_S = 60;
const DAY_S = 86_400;

/** Seconds between two times of a cron pattern of a function. */
export function periodOf(pattern: string): number {
  const [minute = '*', hour = '*', , , weekday = '*'] = pattern.split(' ');
  if (weekday !== '*') return 7 * DAY_S;
  if (hour !== '*') return DAY_S;
  const every = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (every !== undefined) return Number(every) * MINUTE_S;
  return minute === '*' ? MINUTE_S : 60 * MINUTE_S;
}

/** A run may take most of a minute, and a deployment misses a time or two. */
const TIMES = 3;
const SLACK_S = 300;

export async function cron({ clock }: DoctorGround): Promise<Finding> {
  return withDatabase(async (database) => {
    const states = new Map((await readStates(database)).map((state) => [state.job, state]));
    if (states.size === 0)
      return red(
        'no regular job has ever run: no process keeps the schedule',
        'start the gateway with DATABASE_URL, or set [triggers] on Workers',
      );
    const found = scheduleOf(functionsOn(environment)).map(({ job, pattern }): Finding => {
      const state = states.get(job);
      const period = periodOf(pattern);
      const next = `sallyport cron run ${job}`;
      // One that is new to this release waits for its first time.
      if (state === undefined)
        return period < DAY_S ? yellow(`${job} has never run`, next) : green('every job ends well in time');
      const { last_success_at: well, last_outcome: outcome } = state;
      const why = z.object({ error: z.string() }).safeParse(state.last_detail).data?.error.slice(0, 200);
      const seconds = well === null ? Infinity : (clock.now() - well.getTime()) / 1_000;
      if (seconds > TIMES * period + SLACK_S)
        return red(
          `${job} last ended well ${well === null ? 'never' : well.toISOString()}${why === undefined ? '' : `: ${why}`}`,
          next,
        );
      if (outcome === 'failed')
        return yellow(`${job} failed the last time${why === undefined ? '' : `: ${why}`}`, next);
      return green('every job ends well in time');
    });
    return worst(found, 'there are no regular jobs');
  });
}

/** Operational ones are red; those that only say how the move of people goes are yellow. */
export async function alarms(): Promise<Finding> {
  return withDatabase(async (database) => {
    const standing = await standingAlarms(database);
    return worst(
      [
        green('no alarm stands'),
        ...standing.map(({ name, since, detail }) => {
          const known = ALARMS.find((each) => each === name);
          const cause = `${name}${known === undefined ? '' : ` (${ALARM_TITLES[known]})`} since ${since.toISOString()}: ${detail}`;
          return known !== undefined && URGENT.has(known) ? red(cause) : yellow(cause);
        }),
      ],
      '',
    );
  });
}

export async function featureMigration({ platform }: DoctorGround): Promise<Finding> {
  const { previousRules } = partOf(FEATURE_SYNC.slice);
  if (previousRules === null && !isSet('DATABASE_URL'))
    throw new NotSetUp('no change of features is carried over (ACCESS_RULES_PREV is not set)');
  const current = textSource(environment['ACCESS_RULES']?.trim() || 'config/access_rules.json');
  const read = (source: TextSource): string =>
    source.kind === 'inline' ? source.json : platform.readText(source.path);
  const files =
    previousRules === null
      ? []
      : [rulesFile('ACCESS_RULES_PREV', previousRules, read), rulesFile('ACCESS_RULES', current, read)];
  const run = isSet('DATABASE_URL') ? [await withDatabase(unfinished)] : [];
  return worst([...files, ...run], '');
}

function rulesFile(variable: string, source: TextSource, read: (source: TextSource) => string): Finding {
  let text: string;
  try {
    text = read(source);
  } catch (error) {
    return red(
      `feature migration fails: ${variable} cannot be read: ${whyUnreadable(error)}`,
      `let ${variable} name the rules file`,
    );
  }
  const parsed = readFeatureRules(text);
  return parsed.ok
    ? green('both rules files can be read, and no change is half done')
    : red(`feature migration fails: ${variable}:${parsed.faults[0] ?? ''}`, 'sallyport rules check');
}

const Run = z.object({ id: z.string(), state: z.string(), progress: z.number(), seconds: z.number() });
/** Of a run that is under way every step is recorded within seconds. */
const CUT_OFF_S = 120;

async function unfinished(database: Database): Promise<Finding> {
  const [run] = await database.query(
    sql`select run_id as id, state, progress::int as progress, extract(epoch from now() - updated_at)::float8 as seconds
        from sallyport_runs where kind = ${RUNS.name} order by started_at desc limit 1`,
    Run,
  );
  const fine = green('no change of features is half done');
  if (run === undefined || run.state === 'restored') return fine;
  const { id, state, progress, seconds } = run;
  if (state === 'done')
    return progress === 0
      ? fine
      : red(
          `feature migration: run ${id} ended with ${progress} tuples out of place`,
          'sallyport rules sync --dry-run',
        );
  if (state === 'expanded')
    return yellow(
      `run ${id} is expanded: what only the former rules asked for is still there`,
      'sallyport rules sync --phase contract',
    );
  return seconds > CUT_OFF_S
    ? red(
        `feature migration was cut off: run ${id} is ${state} for ${Math.floor(seconds / 60)} minutes`,
        'sallyport rules sync',
      )
    : yellow(`feature migration is under way: run ${id} is ${state}`);
}
