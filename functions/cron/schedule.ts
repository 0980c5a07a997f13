/** Cron patterns (UTC) and the job each stands for. wrangler.toml lists the same patterns; a test holds the two together. */
export const SCHEDULE = {
  '* * * * *': 'webhooks-apply',
  '*/5 * * * *': 'webhooks-reconcile',
  '*/10 * * * *': 'revocations-remark',
  '30 3 * * *': 'webhooks-prune',
} as const;

export type Pattern = keyof typeof SCHEDULE;
export type JobName = (typeof SCHEDULE)[Pattern];

/** A trigger that no job belongs to: wrangler.toml and this file differ. */
export class UnknownSchedule extends Error {
  override readonly name = 'UnknownSchedule';

  constructor(pattern: string) {
    super(`no job belongs to the schedule ${JSON.stringify(pattern)}: see functions/cron/schedule.ts`);
  }
}

/** Throws UnknownSchedule. */
export function jobAt(pattern: string): JobName {
  if (!isPattern(pattern)) throw new UnknownSchedule(pattern);
  return SCHEDULE[pattern];
}

export function isJobName(name: string): name is JobName {
  return Object.values<string>(SCHEDULE).includes(name);
}

export function scheduleEntries(): readonly { readonly pattern: Pattern; readonly job: JobName }[] {
  return Object.keys(SCHEDULE)
    .filter(isPattern)
    .map((pattern) => ({ pattern, job: SCHEDULE[pattern] }));
}

function isPattern(text: string): text is Pattern {
  return Object.hasOwn(SCHEDULE, text);
}
