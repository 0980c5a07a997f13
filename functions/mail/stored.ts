import * as z from 'zod';
import type { MailTemplate } from '../../shared/mail/fill.ts';
import { sql, type Database } from '../../shared/ports/database.ts';

const Stored = z.object({
  template: z.object({ subject: z.string(), text: z.string(), html: z.string() }),
});

/** More than any release has. */
const MOST = 200;

/** The template of a digest. Throws as `Database`. */
export type TemplateOf = (digest: string) => Promise<MailTemplate>;

/** Templates of waiting mails. What a digest names never changes, so each is read once. */
export function storedTemplates(database: Pick<Database, 'query'>): TemplateOf {
  const known = new Map<string, MailTemplate>();
  return async (digest) => {
    const before = known.get(digest);
    if (before !== undefined) return before;
    const [row] = await database.query(
      sql`select content as template from sallyport_mail_templates where digest = ${digest}`,
      Stored,
    );
    if (row === undefined) throw new Error('a mail names its template by a foreign key');
    if (known.size >= MOST) known.clear();
    known.set(digest, row.template);
    return row.template;
  };
}
