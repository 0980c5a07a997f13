import { expect } from 'vitest';
import * as z from 'zod';
import { CODES, type Code } from '../../shared/codes.ts';
import type { EchoUpstream } from './echo-upstream.ts';

const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string().min(1),
  code: z.string(),
  request_id: z.string().min(8),
});

export type ProblemDocument = z.infer<typeof problemSchema>;

/** Asserts that an answer is the refusal `code`, complete in form (RFC 9457), and gives its document. */
export async function expectRefusal(answer: Response, code: Code): Promise<ProblemDocument> {
  const text = await answer.text();
  expect({ status: answer.status, text }).toEqual({
    status: CODES[code].status,
    text: expect.stringContaining(`"code":"${code}"`) as string,
  });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const problem = problemSchema.parse(JSON.parse(text));
  expect(problem).toMatchObject({ status: answer.status, title: CODES[code].title, code });
  expect(answer.headers.get('x-request-id')).toBe(problem.request_id);
  return problem;
}

/** The same, and that nothing of it reached the upstream. */
export async function expectStopped(
  sent: Promise<Response>,
  code: Code,
  upstream: EchoUpstream,
): Promise<ProblemDocument> {
  const before = upstream.requests.length;
  const problem = await expectRefusal(await sent, code);
  expect(upstream.requests.slice(before)).toEqual([]);
  return problem;
}
