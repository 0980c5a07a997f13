import { InvalidArgumentError } from 'commander';
import { parseRate } from '../../shared/counting/rate.ts';
import { parseRemind, parseStopWhen, stepMs } from '../../shared/invitations/steps.ts';
import type { Trigger } from '../../shared/invitations/wave.ts';
import { dated, DAY_BEGINS, DAY_ENDS } from '../input.ts';

const NAME = /^[\p{L}\p{N}](?:[\p{L}\p{N}._ -]{0,62}[\p{L}\p{N}._-])?$/u;

export function waveName(text: string): string {
  if (NAME.test(text)) return text;
  throw new InvalidArgumentError('Write letters, digits, blanks, dot, underline and hyphen, at most 64.');
}

export function listed(text: string, before: readonly string[] = []): readonly string[] {
  const slugs = [...before, ...text.split(',').map((each) => each.trim())];
  if (slugs.every((each) => each !== '')) return [...new Set(slugs)];
  throw new InvalidArgumentError('Write slugs with commas between them.');
}

export function percent(text: string): number {
  const number = /^\d{1,3}(?:\.\d{1,4})?%?$/.test(text) ? Number(text.replace('%', '')) : Number.NaN;
  if (number > 0 && number <= 100) return number;
  throw new InvalidArgumentError('Write a number above 0, up to 100.');
}

export function activeWithin(text: string): number {
  const ms = stepMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('Write a time, as 90d or 12h.');
}

function date(text: string, ofDay: string): Date {
  const parsed = dated(text, ofDay);
  if (parsed !== undefined) return parsed;
  throw new InvalidArgumentError('Write 2027-03-31, or 2027-03-31T12:00:00Z.');
}

/** A day counts from its beginning. */
export const startDate = (text: string): Date => date(text, DAY_BEGINS);
/** A day counts to its end. */
export const deadlineDate = (text: string): Date => date(text, DAY_ENDS);
export function remind(text: string): readonly string[] {
  const steps = parseRemind(text);
  if (steps !== undefined) return steps;
  throw new InvalidArgumentError(
    'Write times with commas between them, each once, as 7d,14d,-3d (d, h or m).',
  );
}

export function rate(text: string): string {
  if (parseRate(text, 'wave') !== undefined) return text;
  throw new InvalidArgumentError('Write mails per window, as 60/60s.');
}

export function stopWhen(text: string): readonly Trigger[] {
  const triggers = parseStopWhen(text);
  if (triggers !== undefined) return triggers;
  throw new InvalidArgumentError(
    'Write triggers with commas between them, each once: bounces>2%, complaints>0.1%, failures>5%, tickets>10 (per 1,000 invited).',
  );
}
