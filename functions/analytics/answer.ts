import { csvLine } from '../../shared/csv.ts';
import type { Page, Rows, Values } from '../../shared/figures/read.ts';

/** A route's figures: one record, or rows that may have further pages. */
export type Figures = Values<object> | Rows<object> | Page<object>;

const UNCACHED = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export function answerJson(figures: Figures): Response {
  return Response.json({ ...figures, next: 'next' in figures ? figures.next : null }, { headers: UNCACHED });
}

/**
 * RFC 4180 with a header, page by page as the client reads. `pages`: begins with the first page, which is read before the answer
 * starts, so that its failure is a refusal; a later one breaks the connection off.
 */
export async function answerCsv(
  name: string,
  columns: readonly string[],
  pages: AsyncIterator<readonly object[]>,
): Promise<Response> {
  const first = await pages.next();
  let rows: readonly object[] | undefined = first.done === true ? [] : first.value;
  let header = `${columns.join(',')}\r\n`;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (rows === undefined) {
        const next = await pages.next();
        if (next.done === true) {
          controller.close();
          return;
        }
        rows = next.value;
      }
      const text = header + rows.map((row) => csvLine(row, columns)).join('');
      header = '';
      rows = undefined;
      // A pull without a chunk is not followed by another one.
      controller.enqueue(encoder.encode(text));
    },
    async cancel() {
      await pages.return?.();
    },
  });
  return new Response(body, {
    headers: {
      ...UNCACHED,
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${name}.csv"`,
    },
  });
}
