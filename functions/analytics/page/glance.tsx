import { ALARM_TITLES, ALARMS } from '../../../shared/figures/alarms.ts';
import type { Forecast, Reached } from '../../../shared/figures/forecast.ts';
import type { Kpi } from '../../../shared/figures/kpis.ts';
import type { TenantFigures } from '../../../shared/figures/read.ts';
import type { Judged, Overview } from './model.ts';
import { day, minute, NONE, number, percent, plural, share } from './format.ts';
import { Bar, Span } from './charts.tsx';
import { Section, Table } from './layout.tsx';

const TARGET_PERCENT = 95;
const WEEK = 7;

/** How many are across, how fast, when it will be done, and whether that is in time. */
export function Glance({
  overall: { values },
  daily,
  judged,
  of,
  tenant,
}: Pick<Overview, 'overall' | 'daily' | 'judged'> & { of: string | null; tenant: TenantFigures | null }) {
  const across = share(values.settled, values.active);
  const week = daily.rows.slice(1, WEEK + 1).reduce((sum, { users_migrated }) => sum + users_migrated, 0);
  const { forecast, alarms } = judged;
  const today = daily.rows[0]?.migration_date ?? '';
  return (
    <section id="glance" data-live aria-labelledby="glance-title" class="glance">
      <h1 id="glance-title">{of ?? 'All tenants'}</h1>
      <div class="figure">
        <p class="big" id="across">
          {percent(across)}
        </p>
        <p>
          <b>{number(values.settled)}</b> of {plural(values.active, 'active person', 'active people')} are
          across
          {values.active - values.settled > 0 ? (
            <>
              , <b>{number(values.active - values.settled)}</b> are left
            </>
          ) : null}
        </p>
      </div>
      <Bar percent={across} mark={TARGET_PERCENT} />
      <dl class="facts">
        <Fact
          name="Pace"
          value={number(Math.round((week / WEEK) * 10) / 10)}
          more="a day, over the last 7 days"
        />
        <Fact name="95 % across" value={day(forecast.p95.date)} more={between(forecast.p95, today)} />
        <Fact name="All across" value={day(forecast.p100.date)} more={between(forecast.p100, today)} />
        <Fact
          name="Target"
          value={verdict(judged)}
          more={forecast.target ? `95 % by ${forecast.target}` : 'counts from the first wave'}
        />
        {tenant === null ? <Alarms alarms={alarms} /> : <Deadline tenant={tenant} />}
      </dl>
      {alarms.length === 0 ? null : (
        <ul class="alarms">
          {alarms.map(({ name, since, detail }) => (
            <li>
              <b>{titleOf(name)}</b>: {detail} <span>since {minute(since.toISOString())}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Alarms({ alarms }: Pick<Judged, 'alarms'>) {
  const none = alarms.length === 0;
  return (
    <Fact
      name="Alarms"
      value={none ? 'None' : number(alarms.length)}
      more={none ? 'nothing is out of bounds' : 'listed below'}
    />
  );
}

function Deadline({ tenant: { deadline, confirmed } }: { tenant: TenantFigures }) {
  const word = confirmed === null ? 'not confirmed as done' : `confirmed as done on ${day(confirmed)}`;
  return <Fact name="Deadline of passwords" value={deadline === null ? 'None' : day(deadline)} more={word} />;
}

function titleOf(name: string): string {
  const title = ALARMS.find((each) => each === name);
  const words = title === undefined ? name : ALARM_TITLES[title];
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

function Fact({ name, value, more }: { name: string; value: string; more: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value}</b> <span>{more}</span>
      </dd>
    </div>
  );
}

/** Days to come are after `today`, that of the figures. */
function between({ date, low, high }: Reached, today: string): string {
  if (low === null) return 'not to be foreseen yet';
  if (low === high) return low > today ? 'as good as certain' : 'reached';
  return `${within(low, date)} to ${within(high, date)}`;
}

function verdict({ forecast }: Judged): string {
  if (forecast.on_track === null) return 'No forecast';
  return forecast.on_track ? 'On track' : 'Not on track';
}

/** Without the year, where that is the one of the date beside it. */
function within(end: string | null, date: string | null): string {
  if (end === null) return 'later';
  return end.slice(0, 4) === date?.slice(0, 4) ? end.slice(5) : end;
}

const DAY_MS = 86_400_000;

/** The days of the forecast on one line of time, beside their dates. */
export function ForecastTable({ forecast, today, csv }: { forecast: Forecast; today: string; csv: string }) {
  const { p95, p100, target } = forecast;
  const days = [p95, p100]
    .flatMap(({ date, low, high }) => [date, low, high])
    .concat(target, today)
    .filter((each) => each !== null);
  const [first, last] = [
    Math.min(...days.map((each) => Date.parse(each))),
    Math.max(...days.map((each) => Date.parse(each))),
  ];
  const at = (each: string | null): number =>
    each === null ? 100 : ((Date.parse(each) - first) / Math.max(DAY_MS, last - first)) * 96 + 2;
  const row = (name: string, { date, low, high }: Reached) => [
    name,
    date === null ? (
      NONE
    ) : (
      <Span low={at(low)} at={at(date)} high={at(high)} target={target === null ? null : at(target)} />
    ),
    day(date),
    low === null ? NONE : `${within(low, date)} to ${within(high, date)}`,
  ];
  const onLine = new Date(first).toISOString().slice(0, 10);
  return (
    <Section id="forecast" title="Forecast" csv={csv}>
      <Table
        caption="Forecast: when 95 % and all are across"
        columns={[
          { title: 'Share' },
          { title: `From ${onLine}`, wide: true },
          { title: 'Day', number: true },
          { title: 'With 80 %', number: true, minor: true },
        ]}
        rows={[row('95 %', p95), row('All', p100)]}
      />
      <p class="note">
        {target === null
          ? 'A target counts from the first wave.'
          : `The thin mark is the target: 95 % by ${target}.`}{' '}
        Pace of the last 28 days, by weekday.
      </p>
    </Section>
  );
}

const NAMES: Readonly<Record<Kpi['kpi'], string>> = {
  migration_rate: 'People across',
  token_check_p99: 'Check of a token, p99',
  callback_errors: 'Errors of sign-ins',
  satisfaction: 'Satisfaction',
  tickets: 'Support tickets',
};

function valueOf({ kpi, value, unit }: Kpi): string {
  if (value === null) return NONE;
  if (kpi === 'migration_rate') return percent(value);
  return unit === 'tickets' ? number(value) : `${number(value)} ${unit}`;
}

const BY = /^by (\d{4}-\d\d-\d\d)$/;

function stateOf({ met, note }: Kpi, today: string) {
  if (met === null) return 'no data';
  if (met) return 'met';
  const due = BY.exec(note)?.[1];
  return due !== undefined && due >= today ? `due ${due.slice(5)}` : <b>not met</b>;
}

export function Kpis({ kpis, today, csv }: Pick<Judged, 'kpis'> & { today: string; csv: string }) {
  return (
    <Section id="kpis" title="Targets" csv={csv}>
      <Table
        caption="Targets and what has been reached"
        columns={[
          { title: 'What' },
          { title: 'Now', number: true },
          { title: 'Target', number: true },
          { title: 'State' },
        ]}
        rows={kpis.map((each) => [NAMES[each.kpi], valueOf(each), each.target, stateOf(each, today)])}
      />
    </Section>
  );
}
