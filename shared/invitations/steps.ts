import { TRIGGERS, type Trigger } from './wave.ts';

const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 };
const STEP = /^(-?)([1-9]\d{0,4})([dhm])$/;

/** A reminder: `7d` after a person's own mail, `-3d` before the deadline. */
export interface Reminder {
  /** Its step's name, as remind-7d or remind--3d. */
  readonly step: string;
  /** From the mail, or negative from the deadline. */
  readonly ms: number;
}

/** Milliseconds of 7d, 12h, 30m, negative with a minus before it; undefined when malformed. */
export function stepMs(text: string): number | undefined {
  const [, minus, count, unit = ''] = STEP.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN);
  return Number.isNaN(ms) ? undefined : minus === '-' ? -ms : ms;
}

const MOST_REMINDERS = 20;

/** Parses `7d,14d,-3d`; undefined when one is malformed, twice there, or they are too many. */
export function parseRemind(text: string): readonly string[] | undefined {
  const steps = text.split(',').map((each) => each.trim());
  if (steps.length > MOST_REMINDERS || new Set(steps.map(stepMs)).size < steps.length) return undefined;
  return steps.every((each) => stepMs(each) !== undefined) ? steps : undefined;
}

/** Steps of a wave, as parseRemind has checked them. */
export function remindersOf(remind: readonly string[]): readonly Reminder[] {
  return remind.flatMap((text) => {
    const ms = stepMs(text);
    return ms === undefined ? [] : [{ step: `remind-${text}`, ms }];
  });
}

/** Which mail a step sends: `deadline` is the one that comes to who wants no reminders, too. */
export function mailKindOf(step: string): 'invitation' | 'reminder' | 'deadline' {
  if (step.startsWith('remind--')) return 'deadline';
  return step.startsWith('remind-') ? 'reminder' : 'invitation';
}

/** Parses `bounces>2%,complaints>0.1%,failures>5%,tickets>10`; undefined when malformed. Tickets are per 1,000 invited. */
export function parseStopWhen(text: string): readonly Trigger[] | undefined {
  const triggers = text.split(',').map((each) => triggerOf(each.trim()));
  const known = triggers.filter((each) => each !== undefined);
  const kinds = new Set(known.map(({ what }) => what));
  return known.length === triggers.length && kinds.size === known.length ? known : undefined;
}

function triggerOf(text: string): Trigger | undefined {
  const [, name, amount, percent] = /^([a-z]+)\s*>\s*(\d{1,6}(?:\.\d{1,4})?)(%?)$/.exec(text) ?? [];
  const what = TRIGGERS.find((each) => each === name);
  if (what === undefined || (percent === '%') === (what === 'tickets')) return undefined;
  const most = what === 'tickets' ? Number(amount) : Number(amount) / 100;
  return what !== 'tickets' && most > 1 ? undefined : { what, most };
}

/** As it was written. */
export function triggerText({ what, most }: Trigger): string {
  return what === 'tickets' ? `tickets>${most}` : `${what}>${percentText(most)}`;
}

/** A share as percent, with as many digits as it needs. */
export function percentText(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`.replace(' ', '');
}
