import { messageOf } from '../../shared/errors.ts';
import { DatabaseError, join, type Sql } from '../../shared/ports/database.ts';
import type { Log } from '../../shared/ports/log.ts';
import {
  MailUnavailable,
  type MailLine,
  type MailOutcome,
  type MailServer,
} from '../../shared/ports/mail.ts';
import { openContent, type Seal } from '../../shared/mail/outbox.ts';
import { outgoingMail } from '../../shared/mail/render.ts';
import type { FailedAttempt, Queue, Worker } from '../../shared/runs/queue.ts';
import { ANSWERED, FORGOTTEN, REFUSED, type QueuedMail } from './queue.ts';
import type { TemplateOf } from './stored.ts';

/**
 * A mail was not accepted. `withheld`: it was not even offered, and never will be; `doubtful`: it may have arrived, so that only an
 * operator has it sent again.
 */
export class MailNotSent extends Error {
  override readonly name = 'MailNotSent';
  readonly result: Exclude<MailOutcome['result'], 'accepted'> | 'withheld' | 'doubtful';
  readonly code: number | undefined;
  /** The end of the message had been sent. */
  readonly committed: boolean;

  constructor(
    { result, reason, code }: { result: MailNotSent['result']; reason: string; code?: number | undefined },
    committed = false,
  ) {
    super(reason);
    this.result = result;
    this.code = code;
    this.committed = committed;
  }
}

export interface SendDeps {
  readonly queue: Queue<QueuedMail>;
  readonly templateOf: TemplateOf;
  readonly seal: Seal | null;
  readonly log: Log;
  readonly count: (outcome: string) => void;
}

export type Sent = Readonly<Record<'sent' | 'failed' | 'dead' | 'taken_over', number>>;

/** Connections of one run, each used for one mail after another. */
export interface Lines {
  /** Throws MailUnavailable. */
  take(): Promise<MailLine>;
  giveBack(line: MailLine): void;
  /** The last attempt to connect failed. */
  readonly away: boolean;
  close(): void;
}

/** At most as many are open as are taken at the same time. */
export function openLines(server: MailServer): Lines {
  const free: MailLine[] = [];
  let away = false;
  return {
    async take() {
      for (let line = free.pop(); line !== undefined; line = free.pop()) {
        if (line.open) return line;
        line.close();
      }
      try {
        const line = await server.connect();
        away = false;
        return line;
      } catch (error) {
        away = true;
        throw error;
      }
    },
    giveBack(line) {
      if (line.open) free.push(line);
      else line.close();
    },
    get away() {
      return away;
    },
    close() {
      for (const line of free.splice(0)) line.close();
    },
  };
}

/** At most this many copies may be on their way: one, and one more after an attempt without an answer. */
export const MOST_COPIES = 2;
/** Mails leased by one statement: a fraction of a second's work for a server nearby. */
const AHEAD = 200;

export interface SendOptions {
  /** Connections at once. */
  readonly parallel: number;
  readonly lines: Lines;
  /** Aborted: no further mail is begun. */
  readonly signal?: AbortSignal | undefined;
}

/** Sends up to `limit` due mails as long as the server is there. Throws as `Database`: leased mails then come again. */
export async function sendDue(
  limit: number,
  { parallel, lines, signal }: SendOptions,
  deps: SendDeps,
): Promise<Sent> {
  const worker: Worker<QueuedMail> = {
    parallel,
    ahead: AHEAD,
    goesOn: () => !lines.away && signal?.aborted !== true,
    work: (item, commit) => send(item, lines, commit, deps),
    isFinal,
    failed: (failure) => explain(failure, deps.log),
    onFailure: ({ error }) => (error instanceof MailNotSent ? recordOf(error) : undefined),
    ended: (outcome) => {
      deps.count(outcome === 'done' ? 'sent' : outcome);
    },
  };
  const { done: sent, ...others } = await deps.queue.workOff(limit, worker);
  return { sent, ...others };
}

function recordOf({ result, committed }: MailNotSent): Sql | undefined {
  if (result === 'withheld') return FORGOTTEN;
  const answered = committed && result !== 'unknown' ? [ANSWERED] : [];
  const assignments = result === 'refused' ? [...answered, REFUSED] : answered;
  return assignments.length === 0 ? undefined : join(assignments);
}

async function send(
  item: QueuedMail,
  lines: Lines,
  commit: () => Promise<void>,
  deps: SendDeps,
): Promise<void> {
  if (item.withheld !== null) throw new MailNotSent({ result: 'withheld', reason: item.withheld });
  if (item.unanswered >= MOST_COPIES)
    throw new MailNotSent({
      result: 'doubtful',
      reason: 'sent twice without an answer: it may have arrived',
    });
  const content = item.content === null ? undefined : await openContent(item.content, deps.seal);
  if (content === undefined)
    throw new MailNotSent({ result: 'withheld', reason: 'sealed with keys that are gone' });
  const template = await deps.templateOf(item.template);
  const line = await lines.take();
  let committed = false;
  try {
    const outcome = await line.send(outgoingMail({ ...item, template }, content), async () => {
      await commit();
      committed = true;
    });
    if (outcome.result !== 'accepted')
      throw new MailNotSent({ ...outcome, result: outcome.result }, committed);
  } finally {
    lines.giveBack(line);
  }
}

const FINAL: ReadonlySet<MailNotSent['result']> = new Set(['refused', 'withheld', 'doubtful']);

function isFinal(error: unknown): boolean {
  if (error instanceof MailNotSent) return FINAL.has(error.result);
  return error instanceof DatabaseError && error.fault === 'statement';
}

/** The server's words may name the address: they are stored with the mail, never logged. */
function explain({ item, error, attempt, dead }: FailedAttempt<QueuedMail>, log: Log): string {
  const reason = messageOf(error);
  const { result, code } = error instanceof MailNotSent ? error : { result: undefined, code: undefined };
  const failure = error instanceof MailUnavailable ? { reason } : { result: result ?? nameOf(error), code };
  const fields = { mail: item.id, kind: item.kind, attempt, ...failure };
  if (result === 'withheld') log.info('mail withheld', { ...fields, reason });
  else if (dead) log.error('mail set aside', fields);
  else log.warn('mail not accepted, it comes again', fields);
  return reason;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
