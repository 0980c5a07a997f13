import type { DoorProvider } from '../doors.ts';
import { LEGACY_PASSWORD } from '../legacy/people.ts';
import { signInName } from './doors.ts';
import { RUN, type Step } from './step.ts';

/** Another one for each run: names of waves are used once. */
const WAVE = `pilot-${RUN}`;
/** So many of those who are in no wave yet, so that the lines can be pasted again. */
const PEOPLE = 10;
const FIGURES = '/analytics';
const DAY_MS = 86_400_000;
const [START, DEADLINE] = [1, 60].map((days) => day(days)) as [string, string];

function day(fromNow: number): string {
  return new Date(Date.now() + fromNow * DAY_MS).toISOString().slice(0, 10);
}

/** A wave of invitations, by the commands of docs/waves.md. */
const WAVE_STEPS: readonly Step[] = [
  {
    title: `A wave: ${PEOPLE} people of Acme, whom to remind, until when, and when it stops by itself`,
    command: [
      ...['waves', 'create', WAVE, '--tenant', 'acme', '--limit', String(PEOPLE)],
      ...['--start', START, '--deadline', DEADLINE, '--remind', '7d,-3d'],
      ...['--stop-when', 'bounces>2%,complaints>0.1%'],
    ],
    says: `${PEOPLE} people of 1 tenants`,
  },
  {
    title: 'It starts now, not on its day',
    command: ['waves', 'start', WAVE],
    says: `${PEOPLE} people are invited`,
  },
  { title: 'Its mails are written, as every minute by itself', command: ['cron', 'run', 'wave-reminders'] },
  { title: 'and sent, as every minute by itself', command: ['cron', 'run', 'mail-send'] },
  { title: 'and those who were reached count as invited', command: ['cron', 'run', 'wave-reminders'] },
];

/** One of its people, from the mail to the first sign-in. */
function across(provider: DoorProvider, name: string): readonly Step[] {
  const kanidm = provider === 'kanidm';
  // Zitadel takes the bcrypt hash, so that the old password works there.
  const invitation = { provider, password: kanidm ? 'another-sesame-for-the-gate' : LEGACY_PASSWORD };
  return [
    {
      title: 'The newest mail has a link; its page says what happens next, and spends nothing',
      ...{ ...invitation, invitation: 'opened', afterSeconds: 1 },
      expect: { status: 200, contains: `Continue to ${name}` },
    },
    {
      title: kanidm
        ? 'Its button leads to Kanidm, once; a password is set there, and the sign-in with it is the move'
        : 'Its button leads to Zitadel, once; the sign-in there by the old password is the move',
      ...{ ...invitation, invitation: 'taken' },
      expect: { status: 200, contains: 'You are all set' },
    },
  ];
}

/** What the team sees of it. */
function seen(provider: DoorProvider): readonly Step[] {
  return [
    {
      title: 'Where the move stands, in a terminal',
      command: ['migration', 'status'],
      says: 'completed 3,',
    },
    {
      title: 'and as JSON, or as CSV by .csv: across are Grace, one of the wave, and Olivia, who was before',
      path: `${FIGURES}/overall`,
      as: 'alice',
      expect: { status: 200, contains: '"completed":3,' },
    },
    {
      title: 'and as a page: Grace may view the figures, by a relation in OpenFGA',
      signIn: { ...signInName(provider), returnTo: FIGURES },
      page: true,
      expect: { status: 200, contains: 'All tenants' },
    },
    {
      title: 'The passwords cannot go yet: the gate has its reasons',
      command: ['migration', 'cleanup', 'check'],
      says: 'the gate is closed',
      exit: 1,
    },
    {
      title:
        'What would go then; `cleanup apply --archive FILE` keeps it, and `cleanup restore FILE` brings it back (docs/clean-up.md)',
      command: ['migration', 'cleanup', 'apply', '--database', 'postgres', '--dry-run'],
      says: 'would lose their password',
      exit: 1,
    },
  ];
}

/** People are invited, one goes over, the figures move, and the gate stays closed. */
export function crossing(provider: DoorProvider): readonly Step[] {
  const name = provider === 'kanidm' ? 'Kanidm' : 'Zitadel';
  return [...WAVE_STEPS, ...across(provider, name), ...seen(provider)];
}
