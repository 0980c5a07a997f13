import { expect } from 'vitest';
import { z } from 'zod';
import type { Stage } from '../support/suite.ts';
import { METRICS_TOKEN } from '../support/world.ts';

export const SCRAPER = { authorization: `Bearer ${METRICS_TOKEN}` };

const Line = z.looseObject({ request_id: z.string().optional() });
type Line = z.infer<typeof Line>;

/** The line of a request in the log, once it is written there. */
export async function lineOf(stage: Stage, id: string): Promise<Line | undefined> {
  const find = (): Line | undefined =>
    stage.gateway
      .output()
      .split('\n')
      .filter((text) => text.startsWith('{') && text.includes(`"request_id":"${id}"`))
      .map((text) => Line.parse(JSON.parse(text)))
      .find(({ request_id }) => request_id === id);
  await expect.poll(find).toBeDefined();
  return find();
}

let counted = 0;
/** Sends a request under an id of its own; gives its answer and its line. */
export async function seen(
  stage: Stage,
  target: string,
  method = 'GET',
  headers: Record<string, string> = {},
) {
  const id = `frame-${stage.runtime.replace(' ', '-')}-${(counted += 1)}`;
  const answer = await stage.gateway.fetch(target, { method, headers: { ...headers, 'x-request-id': id } });
  expect(answer.headers.get('x-request-id')).toBe(id);
  return { answer, line: await lineOf(stage, id) };
}

export async function countOf(stage: Stage, labels: RegExp): Promise<number> {
  const text = await (await stage.gateway.fetch('/metrics', { headers: SCRAPER })).text();
  const line = text
    .split('\n')
    .find((each) => each.startsWith('sallyport_requests_total{') && labels.test(each));
  return Number(line?.split(' ').at(-1) ?? 0);
}
