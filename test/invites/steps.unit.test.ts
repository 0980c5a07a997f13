import { describe, expect, it } from 'vitest';
import { deadlineText, mailOfStep, type StepDue } from '../../shared/invitations/mailing.ts';
import {
  mailKindOf,
  parseRemind,
  parseStopWhen,
  percentText,
  remindersOf,
  stepMs,
  triggerText,
} from '../../shared/invitations/steps.ts';

const DAY = 86_400_000;

describe('reminders', () => {
  it.each([
    ['7d', 7 * DAY],
    ['-3d', -3 * DAY],
    ['12h', DAY / 2],
    ['30m', 1_800_000],
    ['0d', undefined],
    ['-0d', undefined],
    ['7', undefined],
    ['d', undefined],
    ['+7d', undefined],
    ['7w', undefined],
    ['123456d', undefined],
    ['1.5d', undefined],
    [' 7d', undefined],
  ])('%s is %s ms', (text, ms) => {
    expect(stepMs(text)).toBe(ms);
  });

  it('are a list of different times, each a step of its own', () => {
    expect(remindersOf(parseRemind('7d, 14d,-3d') ?? [])).toEqual([
      { step: 'remind-7d', ms: 7 * DAY },
      { step: 'remind-14d', ms: 14 * DAY },
      { step: 'remind--3d', ms: -3 * DAY },
    ]);
    for (const text of [
      '',
      '7d,',
      '7d,7d',
      '1d,24h',
      '7d;14d',
      Array.from({ length: 21 }, (_, n) => `${n + 1}d`).join(),
    ])
      expect(parseRemind(text)).toBeUndefined();
  });

  it('before the deadline have a mail of their own, which comes to who wants no others', () => {
    expect(['invite', 'remind-7d', 'remind--3d', 'resend-1', 'renew-2'].map(mailKindOf)).toEqual([
      ...['invitation', 'reminder', 'deadline', 'invitation', 'invitation'],
    ]);
  });
});

describe('what pauses a wave', () => {
  it('is read as it is written, and written as it was read', () => {
    const text = 'bounces>2%,complaints>0.1%,failures>5%,tickets>10';
    const triggers = parseStopWhen(text) ?? [];
    expect(triggers).toEqual([
      { what: 'bounces', most: 0.02 },
      { what: 'complaints', most: 0.001 },
      { what: 'failures', most: 0.05 },
      { what: 'tickets', most: 10 },
    ]);
    expect(triggers.map(triggerText).join()).toBe(text);
  });

  it.each([
    '',
    'bounces',
    'bounces>2',
    'tickets>10%',
    'bounces<2%',
    'bounces>2%,bounces>3%',
    'mails>1%',
    'bounces>101%',
    'bounces>-1%',
  ])('is never %j', (text) => {
    expect(parseStopWhen(text)).toBeUndefined();
  });

  it('names shares with three digits at most', () => {
    expect([0.02, 0.001, 12 / 390, 1, 0].map(percentText)).toEqual(['2%', '0.1%', '3.08%', '100%', '0%']);
  });
});

describe('the mail of a step', () => {
  const due: StepDue = {
    ...{ invitationId: '01890000-0000-7000-8000-000000000001', waveId: 'w', step: 'remind-7d', userId: 'u' },
    ...{ email: 'alice@example.org', fullName: null, tenant: 'acme', language: 'de-AT', deadline: null },
  };
  const links = { publicUrl: 'https://app.example.org', provider: 'kanidm' } as const;

  it('is that of invitation and step, in the language of the tenant, and waits while the wave is paused', () => {
    expect(mailOfStep(due, 'token', links)).toEqual({
      kind: 'reminder',
      to: 'alice@example.org',
      tenant: 'acme',
      userId: 'u',
      key: '01890000-0000-7000-8000-000000000001.remind-7d',
      languages: ['de-AT', 'de'],
      heldBy: ['wave w'],
      values: {
        name: 'alice@example.org',
        link: 'https://app.example.org/invites/token',
        unsubscribe_link: 'https://app.example.org/invites/token/unsubscribe',
        deadline: '',
        provider: 'Kanidm',
      },
    });
    expect(mailOfStep({ ...due, waveId: null, language: null }, 'token', links)).not.toHaveProperty('heldBy');
  });

  it('names the day of a deadline that is the end of one, else the time too, in UTC', () => {
    const day = new Date('2027-03-31T23:59:59.999Z');
    expect(deadlineText(day, null)).toBe('March 31, 2027');
    expect(deadlineText(day, 'de')).toBe('31. März 2027');
    expect(deadlineText(day, 'no language')).toBe('March 31, 2027');
    expect(deadlineText(new Date('2027-03-31T12:30:00Z'), null)).toMatch(/^March 31, 2027.* 12:30.PM UTC$/);
  });
});
