import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Step } from './steps.ts';

/** Undefined = as promised; otherwise what was different, in one line. */
export type Difference = string | undefined;

export interface CheckOptions {
  readonly gatewayUrl: string;
  readonly mintToken: (user: string) => Promise<string>;
}

const Json = z.record(z.string(), z.unknown());

/** Sends one step and compares the answer with the promise; no answer at all is a difference too. */
export async function checkStep(step: Step, options: CheckOptions): Promise<Difference> {
  try {
    return await sendAndCompare(step, options);
  } catch (error) {
    return `no answer: ${error instanceof Error ? error.message : 'unknown'}`;
  }
}

async function sendAndCompare(step: Step, { gatewayUrl, mintToken }: CheckOptions): Promise<Difference> {
  const headers = new Headers(step.headers);
  if (step.as !== undefined) headers.set('authorization', `Bearer ${await mintToken(step.as)}`);
  const answer = await fetch(gatewayUrl + step.path, {
    method: step.method ?? 'GET',
    headers,
    redirect: 'manual',
  });
  const body = parse(await answer.text());
  return (
    difference('status', step.expect.status, answer.status) ??
    (step.expect.code === undefined ? undefined : difference('code', step.expect.code, body['code'])) ??
    headerDifference(step, answer.headers) ??
    echoDifference(step, body)
  );
}

function headerDifference(step: Step, headers: Headers): Difference {
  for (const [name, part] of Object.entries(step.expect.headers ?? {})) {
    const value = headers.get(name);
    if (value?.includes(part) !== true)
      return `header ${name}: expected "${part}" in it, got ${value ?? 'none'}`;
  }
  return undefined;
}

function echoDifference(step: Step, body: Readonly<Record<string, unknown>>): Difference {
  for (const [name, wanted] of Object.entries(step.expect.echo ?? {})) {
    const found = difference(`upstream saw ${name}`, wanted, body[name]);
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
