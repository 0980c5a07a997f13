import { identifier, sql, type RowParser, type Sql } from '../../../shared/ports/database.ts';
import type { Reader } from './catalogue.ts';

/** Of one portion; FETCH takes no parameter. */
const ROWS = 2_000;
let cursors = 0;

/** Rows of a query in portions, so that memory does not grow with their number. */
export async function* rowsOf<T>(reader: Reader, statement: Sql, row: RowParser<T>): AsyncGenerator<T> {
  const cursor = identifier(`sallyport_${(cursors += 1)}`);
  const nothing = { parse: () => undefined };
  await reader.query(sql`declare ${cursor} no scroll cursor for ${statement}`, nothing);
  for (;;) {
    const rows = await reader.query(sql`fetch 2000 from ${cursor}`, row);
    yield* rows;
    if (rows.length < ROWS) break;
  }
  await reader.query(sql`close ${cursor}`, nothing);
}
