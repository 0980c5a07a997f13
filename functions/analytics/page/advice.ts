import type { Overview } from './model.ts';
import { day, number, plural } from './format.ts';

/** Something that can be done now. `command`: for operators, exact; null: not by a command. */
export interface Advice {
  readonly words: string;
  readonly command: string | null;
}

interface Seen extends Omit<Overview, 'judged'> {
  /** The tenant that the figures are of; null: all. */
  readonly slug: string | null;
}

const LETTERS = /^[\w.@+-]+$/;

/** A word of a shell. */
export function shell(word: string): string {
  return LETTERS.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What can be done now, the most pressing first. */
export function adviceOn(seen: Seen): readonly Advice[] {
  if (seen.overall.as_of === null)
    return [
      { words: 'The figures have not been counted yet.', command: 'sallyport cron run figures-rollup' },
    ];
  return [...onSwitch(seen), ...onWaves(seen), ...onPeople(seen), ...onTenants(seen), ...onEnd(seen)];
}

function onSwitch({ paused }: Seen): Advice[] {
  const words = 'The move is paused: no mail goes out, nobody is provisioned, no deadline counts.';
  return paused ? [{ words, command: 'sallyport migration resume' }] : [];
}

function onWaves({ waves, slug }: Seen): Advice[] {
  const pausedFirst = waves.rows.toSorted(
    (a, b) => Number(b.state === 'paused') - Number(a.state === 'paused'),
  );
  return pausedFirst.flatMap(({ name, state, start_at, pause_reason }): Advice[] => {
    if (state === 'paused') {
      const why = pause_reason === null ? 'by hand' : `by itself, ${pause_reason}`;
      // Figures of a tenant do not say why: the reason is of the whole wave.
      const words = slug === null ? `Wave ${name} is paused: ${why}.` : `Wave ${name} is paused.`;
      return [{ words, command: `sallyport waves resume ${shell(name)}` }];
    }
    if (state !== 'planned') return [];
    const words = `Wave ${name} starts on ${day(start_at)}. Look at its mails before.`;
    return [{ words, command: `sallyport waves preview ${shell(name)} --out mails` }];
  });
}

function onPeople({ overall: { values }, waves, slug }: Seen): Advice[] {
  const of = slug === null ? '' : ` --tenant ${shell(slug)}`;
  const advice: Advice[] = [];
  const without = values.total_users - values.provisioned;
  if (without > 0)
    advice.push({
      words: `${plural(without, 'person has', 'people have')} no account at the provider. See what a run would do.`,
      command: `sallyport users provision${of} --dry-run`,
    });
  const waiting = values.provisioned - Math.max(values.invited, values.completed);
  if (waiting > 0 && !waves.rows.some(({ state }) => state === 'planned'))
    advice.push({
      words: `${plural(waiting, 'person has', 'people have')} an account and no invitation. Plan a wave.`,
      command: `sallyport waves create NAME${of === '' ? ' --all --percent 10' : of} --start DATE`,
    });
  const running = waves.rows.find(({ state }) => state === 'running' || state === 'done');
  if (values.unreachable > 0)
    advice.push({
      words: `No mail reaches ${plural(values.unreachable, 'person', 'people')}. Correct the address, or hand out a printed code.`,
      command: running === undefined ? null : `sallyport waves codes ${shell(running.name)} --out codes.html`,
    });
  return advice;
}

const NEARLY = 0.95;
const MOST_TENANTS = 3;

function onTenants({ tenants }: Seen): Advice[] {
  const done = tenants.rows.filter(
    ({ active, settled, confirmed }) => active > 0 && settled === active && confirmed === null,
  );
  const nearly = tenants.rows.filter(
    ({ active, settled, deadline }) => deadline === null && settled < active && settled >= active * NEARLY,
  );
  return [
    ...done.slice(0, MOST_TENANTS).map(({ tenant_name, slug }) => ({
      words: `Everybody of ${tenant_name} is across. Ask them for their word that it is done.`,
      command: `sallyport tenants confirm ${shell(slug)}`,
    })),
    ...nearly.slice(0, MOST_TENANTS).map(({ tenant_name, slug, active, settled }) => ({
      words: `${number(active - settled)} of ${tenant_name} are left. Set a day on which their passwords end.`,
      command: `sallyport migration deadline set DATE --tenant ${shell(slug)}`,
    })),
  ];
}

function onEnd({ overall: { values }, slug }: Seen): Advice[] {
  if (slug !== null || values.active === 0 || values.settled < values.active) return [];
  return [
    {
      words: 'Everybody is across. See whether the passwords may go.',
      command: 'sallyport migration cleanup check',
    },
  ];
}
