import type { Child } from 'hono/jsx';
import { axisEnd, number } from './format.ts';
import { Table, type Column } from './layout.tsx';

/** One line or row of columns of a chart. */
interface Series {
  readonly name: string;
  readonly kind: 'columns' | 'line' | 'dashes';
  readonly values: readonly number[];
}

interface ChartProps {
  /** What is seen, in a sentence, for who does not see it. */
  readonly summary: string;
  /** Days, the earliest first. */
  readonly days: readonly string[];
  readonly series: readonly Series[];
  /** The table of the same figures. */
  readonly table: {
    readonly caption: string;
    readonly columns: readonly Column[];
    readonly rows: readonly (readonly Child[])[];
  };
}

const WIDTH = 1_000;
const HEIGHT = 100;

/** Days from left to right. Texts stand around the drawing, so that they keep their size on a phone. */
export function DayChart({ summary, days, series, table }: ChartProps) {
  const end = axisEnd(Math.max(0, ...series.flatMap(({ values }) => values)));
  const step = WIDTH / Math.max(1, days.length);
  return (
    <figure class="chart">
      <Legend series={series} />
      <div class="plot">
        <div class="axis" aria-hidden="true">
          <span>{number(end)}</span>
          <span>{number(end / 2)}</span>
          <span>0</span>
        </div>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={summary}>
          {[0, 0.5, 1].map((at) => (
            <line class="grid" x1="0" x2={WIDTH} y1={at * HEIGHT} y2={at * HEIGHT} />
          ))}
          {series.map((each) => (
            <Drawn series={each} step={step} end={end} />
          ))}
          {days.map((day, at) => (
            <rect
              class="hit"
              x={at * step}
              y="0"
              width={step}
              height={HEIGHT}
              data-tip={`${day}: ${series.map(({ name, values }) => `${number(values[at] ?? 0)} ${name}`).join(', ')}`}
            />
          ))}
        </svg>
        <div class="days" aria-hidden="true">
          {[days[0], days[Math.floor(days.length / 2)], days.at(-1)].map((day) => (
            <span>{day?.slice(5)}</span>
          ))}
        </div>
      </div>
      <details>
        <summary>Table</summary>
        <Table {...table} />
      </details>
    </figure>
  );
}

function Legend({ series }: { series: readonly Series[] }) {
  return (
    <ul class="legend">
      {series.map(({ name, kind }) => (
        <li>
          <svg viewBox="0 0 20 8" aria-hidden="true">
            <line class={kind} x1="0" x2="20" y1="4" y2="4" />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}

function Drawn({ series: { kind, values }, step, end }: { series: Series; step: number; end: number }) {
  const y = (value: number): number => HEIGHT - (value / end) * HEIGHT;
  if (kind === 'columns')
    return (
      <>
        {values.map((value, at) => (
          <rect
            class="fill"
            x={(at + 0.15) * step}
            width={step * 0.7}
            y={y(value)}
            height={HEIGHT - y(value)}
          />
        ))}
      </>
    );
  return (
    <polyline
      class={kind}
      points={values.map((value, at) => `${((at + 0.5) * step).toFixed(1)},${y(value).toFixed(2)}`).join(' ')}
    />
  );
}

/** A share beside its number, which says the same. `mark`: where the target stands. */
export function Bar({ percent, mark }: { percent: number | null; mark?: number }) {
  return (
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect class="track" width="100" height="10" />
      <rect class="fill" width={Math.min(100, percent ?? 0)} height="10" />
      {mark === undefined ? null : <line class="mark" x1={mark} x2={mark} y1="0" y2="10" />}
    </svg>
  );
}

/** From when to when, on a line of time from 0 to 100. */
export function Span({
  low,
  at,
  high,
  target,
}: {
  low: number;
  at: number;
  high: number;
  target: number | null;
}) {
  return (
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect class="track" y="4.5" width="100" height="1" />
      <rect class="span" x={low} y="2.5" width={Math.max(0.6, high - low)} height="5" />
      <line class="at" x1={at} x2={at} y1="0" y2="10" />
      {target === null ? null : <line class="mark" x1={target} x2={target} y1="0" y2="10" />}
    </svg>
  );
}
