import type { MailConfig } from '../../shared/configuration/mail.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Seal } from '../../shared/mail/outbox.ts';
import type { Database } from '../../shared/ports/database.ts';
import { MailUnavailable, type MailServer } from '../../shared/ports/mail.ts';
import { pause } from '../../shared/ports/runtime.ts';
import { openQueue } from '../../shared/runs/queue.ts';
import { isAnyDue } from './depth.ts';
import { openPace, type Pace } from './pace.ts';
import { OUTBOX } from './queue.ts';
import { storedTemplates } from './stored.ts';
import { openLines, sendDue, type SendDeps, type SendOptions, type Sent } from './send.ts';

export interface Sender {
  /** Sends what is due until none is left, at the pace of MAIL_RATE. Throws MailUnavailable, and as `Database`. */
  all(signal: AbortSignal): Promise<Sent>;
  /** Sends at most this many that are due, as far as MAIL_RATE has room now. Throws as above. */
  some(most: number): Promise<Sent>;
}

export type SenderDeps = Pick<Deps, 'platform' | 'random' | 'log'> & {
  readonly database: Database;
  readonly mailServer: MailServer;
  readonly seal: Seal | null;
  /** Milliseconds after which a leased mail is one of a dead process. */
  readonly leaseMs?: number;
};

/** Longer than any attempt: a connection and a mail have bounds of their own, 55 s together. */
const LEASE_MS = 120_000;
const WAITS = { firstMs: 15_000, mostMs: 900_000 };
/** With the waits, two days. */
const MOST_ATTEMPTS = 200;
/** Connections at once: a Worker has six in all, and some of them are to the database. */
const PARALLEL = { node: 5, workers: 3 };
/** A Worker's run has 1,000 subrequests, and at Neon each mail takes some three of them. */
const MOST_PER_RUN = { node: Infinity, workers: 250 };
const MOST_PER_BATCH = 1_000;
/** A rate without room is looked at again after this long at the latest. */
const LONGEST_PAUSE_MS = 5_000;
/** Connections are not held idle for longer. */
const IDLE_MS = 3_000;

export function openSender(mail: MailConfig, deps: SenderDeps): Sender {
  const { database, random, platform, mailServer, leaseMs = LEASE_MS } = deps;
  const sending: SendDeps = {
    ...deps,
    queue: openQueue({
      ...{ table: OUTBOX, database, random, leaseMs, waits: WAITS, mostAttempts: MOST_ATTEMPTS },
    }),
    templateOf: storedTemplates(database),
    count: platform.metrics.counter(
      'sallyport_mails_total',
      'Attempts to send a mail by their outcome.',
      'outcome',
    ),
  };
  const pace = openPace({ database, random, rate: mail.rate, heldMs: leaseMs });
  // Small beside the rate: a batch counts as a whole until its last mail has left the window.
  const perBatch = Math.max(1, Math.min(MOST_PER_BATCH, Math.floor(mail.rate.limit / 10)));
  const run = async (most: number, signal: AbortSignal | undefined): Promise<Sent> => {
    const lines = openLines(mailServer);
    const options = { parallel: PARALLEL[platform.runtime], lines, signal };
    let total = NONE;
    try {
      while (countOf(total) < most && signal?.aborted !== true && (await isAnyDue(database))) {
        // Connected before a mail is leased: a server that is away costs none of them an attempt.
        lines.giveBack(await lines.take());
        const { sent, waitMs } = await sendBatch(
          Math.min(most - countOf(total), perBatch),
          pace,
          options,
          sending,
        );
        total = plus(total, sent);
        if (lines.away) throw new MailUnavailable('it was lost on the way');
        if (waitMs === 0 ? countOf(sent) === 0 : signal === undefined) break;
        if (waitMs > IDLE_MS) lines.close();
        if (waitMs > 0) await pause(Math.min(waitMs, LONGEST_PAUSE_MS), signal);
      }
      return total;
    } finally {
      lines.close();
    }
  };
  return {
    some: (most) => run(most, undefined),
    all: (signal) => run(MOST_PER_RUN[platform.runtime], signal),
  };
}

interface Batch {
  readonly sent: Sent;
  /** Milliseconds until MAIL_RATE has room; 0 when it had. */
  readonly waitMs: number;
}

async function sendBatch(most: number, pace: Pace, options: SendOptions, deps: SendDeps): Promise<Batch> {
  const share = await pace.take(most);
  if (share.mails === 0) return { sent: NONE, waitMs: share.waitMs };
  // When it throws, all of it stays reserved: how many were sent is not known.
  const sent = await sendDue(share.mails, options, deps);
  await share.settle(countOf(sent));
  return { sent, waitMs: 0 };
}

const NONE: Sent = { sent: 0, failed: 0, dead: 0, taken_over: 0 };

function plus(one: Sent, other: Sent): Sent {
  return {
    sent: one.sent + other.sent,
    failed: one.failed + other.failed,
    dead: one.dead + other.dead,
    taken_over: one.taken_over + other.taken_over,
  };
}

function countOf({ sent, failed, dead, taken_over }: Sent): number {
  return sent + failed + dead + taken_over;
}
