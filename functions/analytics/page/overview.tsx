import type { Advice } from './advice.ts';
import type { Overview } from './model.ts';
import { Bar, DayChart } from './charts.tsx';
import { number, percent, share } from './format.ts';
import { ForecastTable, Glance, Kpis } from './glance.tsx';
import { Command, Section, Table } from './layout.tsx';
import { PeopleTable } from './people.tsx';
import { byAcross, TenantsTable } from './tenants.tsx';
import { FunnelTable, WavesTable } from './wave.tsx';

/** Rows of a list on the overview; its own page has all. */
const FEW = 12;

interface OverviewProps extends Overview {
  readonly of: string | null;
  readonly seesAll: boolean;
  /** `?tenant=…`, or empty. */
  readonly query: string;
  readonly advice: readonly Advice[];
}

export function OverviewPage(props: OverviewProps) {
  const { of, overall, tenants, daily, funnel, waves, stuck, judged, query, seesAll, advice } = props;
  const people = `/analytics/people${query}`;
  const today = daily.rows[0]?.migration_date ?? '';
  const csv = (name: string): string => `/analytics/${name}.csv${query}`;
  return (
    <>
      <Glance
        overall={overall}
        daily={daily}
        judged={judged}
        of={of}
        tenant={of === null ? null : (tenants.rows[0] ?? null)}
      />
      <AdviceList advice={advice} commands={seesAll} />
      <div class="pair">
        <Completions {...{ daily, csv: csv('daily') }} />
        <SignIns {...{ daily, csv: csv('daily') }} />
      </div>
      <div class="pair">
        <ForecastTable forecast={judged.forecast} today={today} csv={csv('forecast')} />
        <Kpis kpis={judged.kpis} today={today} csv={csv('kpis')} />
      </div>
      {of === null ? (
        <Section id="tenants" title="Tenants" csv={csv('tenants')}>
          <TenantsTable tenants={byAcross(tenants).slice(0, FEW)} />
          {tenants.rows.length > FEW ? (
            <p class="note">
              <a href="/analytics/tenant/">All tenants</a>
            </p>
          ) : null}
        </Section>
      ) : null}
      <div class="pair">
        <Section id="funnel" title="Invitations" csv={csv('funnel')}>
          <FunnelTable funnel={funnel.rows} of="all waves" />
        </Section>
        <Section id="waves" title="Waves">
          <WavesTable waves={waves.rows.slice(0, FEW)} query={query} />
        </Section>
      </div>
      <Section
        id="help"
        title="People who need help"
        csv={`/analytics/pending.csv${query === '' ? '?' : `${query}&`}state=unreachable`}
      >
        {stuck.rows.length === 0 ? (
          <p class="note">Mail reaches everybody.</p>
        ) : (
          <PeopleTable people={stuck.rows} commands={seesAll} caption="People whom no mail reaches" />
        )}
        <p class="note">
          <a href={people}>Everybody who is not across, and why</a>
        </p>
      </Section>
      <AllNumbers overall={overall} csv={csv('overall')} />
    </>
  );
}

function AdviceList({ advice, commands }: { advice: readonly Advice[]; commands: boolean }) {
  return (
    <Section id="now" title="What can be done now">
      {advice.length === 0 ? (
        <p class="note">Nothing: reminders go out by themselves.</p>
      ) : (
        <ul class="advice">
          {advice.map(({ words, command }) => (
            <li>
              <span>{words}</span>
              {command === null || !commands ? null : <Command line={command} />}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

interface DaysProps extends Pick<Overview, 'daily'> {
  readonly csv: string;
}

function Completions({ daily: { rows }, csv }: DaysProps) {
  const days = rows.toReversed();
  const sum = rows.reduce((total, { users_migrated }) => total + users_migrated, 0);
  return (
    <Section id="completions" title="Across by day" csv={csv}>
      <DayChart
        summary={`First sign-ins at the provider by day: ${number(sum)} in ${rows.length} days.`}
        days={days.map(({ migration_date }) => migration_date)}
        series={[
          { name: 'across', kind: 'columns', values: days.map(({ users_migrated }) => users_migrated) },
        ]}
        table={{
          caption: 'People across and invited by day',
          columns: [{ title: 'Day' }, { title: 'Across', number: true }, { title: 'Invited', number: true }],
          rows: rows.map(({ migration_date, users_migrated, invited }) => [
            migration_date,
            number(users_migrated),
            number(invited),
          ]),
        }}
      />
    </Section>
  );
}

function SignIns({ daily: { rows }, csv }: DaysProps) {
  const days = rows.toReversed();
  const sum = (of: 'password_logins' | 'oauth_logins'): string =>
    number(rows.reduce((total, row) => total + row[of], 0));
  return (
    <Section id="sign-ins" title="Sign-ins by day" csv={csv}>
      <DayChart
        summary={`Sign-ins by day: ${sum('oauth_logins')} at the provider, ${sum('password_logins')} by password.`}
        days={days.map(({ migration_date }) => migration_date)}
        series={[
          { name: 'at the provider', kind: 'line', values: days.map(({ oauth_logins }) => oauth_logins) },
          { name: 'by password', kind: 'dashes', values: days.map(({ password_logins }) => password_logins) },
        ]}
        table={{
          caption: 'Sign-ins by day',
          columns: [
            ...[
              { title: 'Day' },
              { title: 'At the provider', number: true },
              { title: 'By password', number: true },
            ],
            { title: 'Failed', number: true },
          ],
          rows: rows.map((row) => [
            row.migration_date,
            number(row.oauth_logins),
            number(row.password_logins),
            number(row.oauth_failures),
          ]),
        }}
      />
    </Section>
  );
}

const WORDS = [
  ['completed', 'Completed', 'have signed in at the provider'],
  ['invited', 'Invited', 'have been mailed'],
  ['provisioned', 'Provisioned', 'have an account at the provider'],
  ['excluded', 'Excluded', 'by hand, with a reason'],
  ['unreachable', 'Unreachable', 'no mail reaches them'],
  ['dormant', 'Dormant', 'no sign-in for 180 days'],
  ['kanidm_only', 'Provider alone', 'sign-in method kanidm'],
  ['dual_auth', 'Both', 'sign-in method dual'],
  ['password_only', 'Password alone', 'sign-in method password'],
  ['total_users', 'All', 'not deleted'],
] as const;

function AllNumbers({ overall: { values }, csv }: Pick<Overview, 'overall'> & { csv: string }) {
  return (
    <Section id="numbers" title="Where everybody stands" csv={csv}>
      <Table
        caption="How many people stand where"
        columns={[
          { title: 'State' },
          { title: 'Share of all', wide: true },
          { title: '%', number: true },
          { title: 'People', number: true },
          { title: 'Who', minor: true },
        ]}
        rows={WORDS.map(([key, name, who]) => {
          const part = share(values[key], values.total_users);
          return [name, <Bar percent={part} />, percent(part), number(values[key]), who];
        })}
      />
      <p class="note">
        Method kanidm or dual: {percent(values.migration_percent)}. Provisioning alone makes everybody dual,
        so that this page goes by who has completed.
      </p>
    </Section>
  );
}
