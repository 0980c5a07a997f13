import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { signInByProvider } from './browser.ts';
import { followInvitation } from './invitation.ts';
import {
  isInvitation,
  isRequest,
  type Bearer,
  type Expectation,
  type InvitationStep,
  type Places,
  type RequestStep,
  type SignInStep,
} from './step.ts';
import { messageOf } from '../../shared/errors.ts';

/** Undefined = as promised; otherwise what was different, in one line. */
export type Difference = string | undefined;

export interface CheckOptions {
  readonly places: Places;
  /** `anew`: not the one from before. */
  readonly tokenOf: (bearer: Bearer, anew: boolean) => Promise<string>;
}

/** A watchdog of what happens by itself, in seconds where the machine is idle. */
const SOON_MS = 120_000;
const BETWEEN_MS = 100;

const Json = z.record(z.string(), z.unknown());

type Answered = RequestStep | SignInStep | InvitationStep;

/** Sends one step and compares the answer with the promise; no answer at all is a difference too. */
export async function checkStep(step: Answered, options: CheckOptions): Promise<Difference> {
  const started = performance.now();
  for (;;) {
    const difference = await answerTo(step, options)
      .then((answer) => compare(step.expect, answer))
      .catch((error: unknown) => `no answer: ${messageOf(error)}`);
    const late = performance.now() - started > SOON_MS;
    if (difference === undefined || step.afterSeconds === undefined || late) return difference;
    await pause(BETWEEN_MS);
  }
}

function answerTo(step: Answered, options: CheckOptions): Promise<Response> {
  if (isInvitation(step)) return followInvitation(step, options.places);
  return isRequest(step) ? send(step, options) : signInByProvider(step, options.places);
}

async function send(step: RequestStep, { places, tokenOf }: CheckOptions): Promise<Response> {
  const headers = new Headers(step.headers);
  if (step.as !== undefined)
    headers.set('authorization', `Bearer ${await tokenOf(step.as, step.newToken === true)}`);
  if (step.body !== undefined) headers.set('content-type', 'application/json');
  return fetch(places[step.at ?? 'gateway'] + step.path, {
    method: methodOf(step),
    headers,
    redirect: 'manual',
    ...(step.body !== undefined && { body: JSON.stringify(step.body) }),
  });
}

async function compare(expected: Expectation, answer: Response): Promise<Difference> {
  const text = await answer.text();
  const body = parse(text);
  const { status, code, contains } = expected;
  return (
    difference('status', status, answer.status) ??
    (code === undefined ? undefined : difference('code', code, body['code'])) ??
    headerDifference(expected, answer.headers) ??
    echoDifference(expected, body) ??
    (contains === undefined || text.includes(contains) ? undefined : `no ${contains} in the answer`)
  );
}

/** As curl has it: a body makes a POST. */
function methodOf({ method, body }: RequestStep): string {
  return method ?? (body === undefined ? 'GET' : 'POST');
}

function headerDifference(expected: Expectation, headers: Headers): Difference {
  for (const [name, part] of Object.entries(expected.headers ?? {})) {
    const value = headers.get(name);
    if (value?.includes(part) !== true)
      return `header ${name}: expected "${part}" in it, got ${value ?? 'none'}`;
  }
  return undefined;
}

function echoDifference(expected: Expectation, body: Readonly<Record<string, unknown>>): Difference {
  for (const [name, wanted] of Object.entries(expected.echo ?? {})) {
    const found = difference(`${name} in the answer`, wanted, body[name]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function difference(what: string, wanted: unknown, got: unknown): Difference {
  if (isDeepStrictEqual(wanted, got)) return undefined;
  return `${what}: expected ${JSON.stringify(wanted)}, got ${got === undefined ? 'nothing' : JSON.stringify(got)}`;
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return Json.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
