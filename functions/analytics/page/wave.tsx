import type { FunnelStep } from '../../../shared/figures/read.ts';
import type { WaveFigures } from '../../../shared/figures/waves.ts';
import { shell } from './advice.ts';
import { Bar } from './charts.tsx';
import { day, minute, NONE, number, pathPart, percent, share } from './format.ts';
import { Command, Section, Table } from './layout.tsx';

const STEPS: Readonly<Record<FunnelStep['step'], string>> = {
  invited: 'Invited',
  delivered: 'Delivered',
  seen: 'Page seen',
  accepted: 'Accepted',
  completed: 'Completed',
};

export function FunnelTable({ funnel, of }: { funnel: readonly FunnelStep[]; of: string }) {
  return (
    <Table
      caption={`From invitation to completion, of ${of}`}
      columns={[
        ...[{ title: 'Step' }, { title: 'Share of invited', wide: true }, { title: '%', number: true }],
        ...[
          { title: 'People', number: true },
          { title: 'Median days', number: true, minor: true },
        ],
      ]}
      rows={funnel.map(({ step, count, rate, median_days }) => [
        STEPS[step],
        <Bar percent={rate} />,
        percent(rate),
        number(count),
        median_days === null ? NONE : median_days.toFixed(1),
      ])}
    />
  );
}

export function WavesTable({ waves, query }: { waves: readonly WaveFigures[]; query: string }) {
  if (waves.length === 0) return <p class="note">No wave yet.</p>;
  return (
    <Table
      caption="Waves, the newest first"
      columns={[
        ...[
          { title: 'Wave' },
          { title: 'State' },
          { title: 'Across', wide: true },
          { title: '%', number: true },
        ],
        ...[
          { title: 'Invited', number: true, minor: true },
          { title: 'Start', number: true, minor: true },
        ],
      ]}
      rows={waves.map(({ wave_id, name, state, start_at, invited, completed }) => [
        <a href={`/analytics/wave/${pathPart(name, wave_id)}${query}`}>{name}</a>,
        state,
        <Bar percent={share(completed, invited)} />,
        percent(share(completed, invited)),
        number(invited),
        day(start_at),
      ])}
    />
  );
}

interface WaveProps {
  readonly wave: WaveFigures;
  readonly funnel: readonly FunnelStep[];
  readonly query: string;
  readonly seesAll: boolean;
}

export function WavePage({ wave, funnel, query, seesAll }: WaveProps) {
  const { name, state, start_at, deadline, pause_reason, invited, completed } = wave;
  const across = share(completed, invited);
  const more = query === '' ? '?' : `${query}&`;
  return (
    <>
      <section id="glance" data-live aria-labelledby="glance-title" class="glance">
        <h1 id="glance-title">Wave {name}</h1>
        <div class="figure">
          <p class="big" id="across">
            {percent(across)}
          </p>
          <p>
            <b>{number(completed)}</b> of <b>{number(invited)}</b> invited have completed
          </p>
        </div>
        <Bar percent={across} />
        <dl class="facts">
          {[
            ['State', state, pause_reason ?? ''],
            ['Start', day(start_at), minute(start_at).slice(11)],
            ['Deadline', day(deadline), deadline === null ? 'none of its own' : minute(deadline).slice(11)],
          ].map(([term, value, words]) => (
            <div>
              <dt>{term}</dt>
              <dd>
                <b>{value}</b> <span>{words}</span>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <Section
        id="funnel"
        title="From invitation to completion"
        csv={`/analytics/funnel.csv${more}wave=${encodeURIComponent(name)}`}
      >
        <FunnelTable funnel={funnel} of={`wave ${name}`} />
        <p class="note">
          Page seen leaves out what scanners and previews fetch. Days count from the mail of each person.
        </p>
      </Section>
      {seesAll ? <Commands name={name} state={state} /> : null}
    </>
  );
}

const DOING: Readonly<Record<WaveFigures['state'], readonly (readonly [command: string, words: string])[]>> =
  {
    planned: [
      ['preview', 'Look at its mails'],
      ['start', 'Start it now'],
      ['cancel', 'Give it up'],
    ],
    starting: [
      ['show', 'How many are taken'],
      ['cancel', 'Give it up'],
    ],
    running: [
      ['show', 'Its mails and its people'],
      ['pause', 'Stop its mails'],
      ['codes', 'Codes for who gets no mail'],
    ],
    paused: [
      ['show', 'Its mails and its people'],
      ['resume', 'Go on'],
      ['cancel', 'End it'],
    ],
    done: [
      ['show', 'Its mails and its people'],
      ['codes', 'Codes for who gets no mail'],
    ],
    cancelled: [['show', 'What became of it']],
  };

const FURTHER: Readonly<Record<string, string>> = { preview: ' --out mails', codes: ' --out codes.html' };

function Commands({ name, state }: Pick<WaveFigures, 'name' | 'state'>) {
  return (
    <Section id="now" title="What can be done now">
      <ul class="advice">
        {DOING[state].map(([command, words]) => (
          <li>
            <span>{words}.</span>
            <Command line={`sallyport waves ${command} ${shell(name)}${FURTHER[command] ?? ''}`} />
          </li>
        ))}
      </ul>
    </Section>
  );
}
