import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Bearer, Places, RequestStep } from './step.ts';
import { messageOf } from '../../shared/errors.ts';

/** Undefined = as promised; otherwise what was different, in one line. */
export type Difference = string | undefined;

export interface CheckOptions {
  readonly places: Places;
  /** `anew`: not the one from before. */
  readonly tokenOf: (bearer: Bearer, anew: boolean) => Promise<string>;
}

/** The longest that something takes which happens by itself: twice a remembered refusal. */
const SOON_MS = 10_000;
const BETWEEN_MS = 100;

const Json = z.record(z.string(), z.unknown());

/** Sends one step and compares the answer with the promise; no answer at all is a difference too. */
export async function checkStep(step: RequestStep, options: CheckOptions): Promise<Difference> {
  const started = performance.now();
  for (;;) {
    const difference = await sendAndCompare(step, options).catch(
      (error: unknown) => `no answer: ${messageOf(error)}`,
    );
    const late = performance.now() - started > SOON_MS;
    if (difference === undefined || step.afterSeconds === undefined || late) return difference;
    await pause(BETWEEN_MS);
  }
}

async function sendAndCompare(step: RequestStep, { places, tokenOf }: CheckOptions): Promise<Difference> {
  const headers = new Headers(step.headers);
  if (step.as !== undefined)
    headers.set('authorization', `Bearer ${await tokenOf(step.as, step.newToken === true)}`);
  if (step.body !== undefined) headers.set('content-type', 'application/json');
  const answer = await fetch(places[step.at ?? 'gateway'] + step.path, {
    method: methodOf(step),
    headers,
    redirect: 'manual',
    ...(step.body !== undefined && { body: JSON.stringify(step.body) }),
  });
  const text = await answer.text();
  const body = parse(text);
  const { status, code, contains } = step.expect;
  return (
    difference('status', status, answer.status) ??
    (code === undefined ? undefined : difference('code', code, body['code'])) ??
    headerDifference(step, answer.headers) ??
    echoDifference(step, body) ??
    (contains === undefined || text.includes(contains) ? undefined : `no ${contains} in the answer`)
  );
}

/** As curl has it: a body makes a POST. */
function methodOf({ method, body }: RequestStep): string {
  return method ?? (body === undefined ? 'GET' : 'POST');
}

function headerDifference(step: RequestStep, headers: Headers): Difference {
  for (const [name, part] of Object.entries(step.expect.headers ?? {})) {
    const value = headers.get(name);
    if (value?.includes(part) !== true)
      return `header ${name}: expected "${part}" in it, got ${value ?? 'none'}`;
  }
  return undefined;
}

function echoDifference(step: RequestStep, body: Readonly<Record<string, unknown>>): Difference {
  for (const [name, wanted] of Object.entries(step.expect.echo ?? {})) {
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
