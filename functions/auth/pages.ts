import type * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../shared/edge/frame.ts';
import { jsonBody } from '../../shared/edge/json-body.ts';
import { html, NOTHING, pageAnswer } from '../../shared/edge/page.ts';
import { refusalFields, shownOf } from '../../shared/edge/problem.ts';
import { Refusal } from '../../shared/errors.ts';
import { formBody, isForm } from './http.ts';

interface TokenPage {
  /** The path that its form posts to. */
  readonly action: string;
  readonly title: string;
  readonly words: string;
  readonly button: string;
  /** Label of the field new_password; absent: there is none. */
  readonly password?: string;
}

/** The page behind a mailed link. It spends nothing, so that scanners may open it. */
export function tokenPage(shown: TokenPage): OwnRoute['answer'] {
  return ({ url }) => {
    const token = new URL(url).searchParams.get('token')?.slice(0, 256) ?? '';
    const field =
      shown.password === undefined
        ? NOTHING
        : html`<label for="p">${shown.password}</label>
            <input
              id="p"
              name="new_password"
              type="password"
              autocomplete="new-password"
              required
              minlength="8"
            />`;
    const form = html`<form method="post" action="${shown.action}">
      <input type="hidden" name="token" value="${token}" />${field} <button>${shown.button}</button>
    </form>`;
    return pageAnswer(
      shown.title,
      html`<p>${shown.words}</p>
        ${form}`,
    );
  };
}

/** A form is answered by a page, JSON by JSON. `work` throws Refusal. */
export async function byFormOrJson<T>(
  request: Request,
  context: RouteContext,
  shape: z.ZodType<T>,
  done: { readonly title: string; readonly words: string },
  work: (given: T) => Promise<Response>,
): Promise<Response> {
  if (!isForm(request)) return work(await jsonBody(context, shape));
  try {
    await work(await formBody(context, shape));
    return pageAnswer(done.title, html`<p>${done.words}</p>`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, title, detail } = shownOf(error);
    return pageAnswer(title, html`<p>${detail}</p>`, { status, fields: refusalFields(error) });
  }
}
