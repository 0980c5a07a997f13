import { once } from 'node:events';
import * as z from 'zod';
import { isTenant } from '../../shared/people/tenants.ts';
import { empty, sql, type Database } from '../../shared/ports/database.ts';
import { assertTenant, withDatabase } from '../people/ground.ts';
import { writePrivately, type Write } from '../private-file.ts';
import { note, progressBar, write } from '../terminal.ts';

export interface ExportCommand {
  readonly tenant?: string;
  readonly format: 'json' | 'jsonl';
  readonly all?: boolean;
}

/** Writes users as the provisioning takes them. A file appears under its name when it is whole. */
export async function runExport(file: string | undefined, options: ExportCommand): Promise<void> {
  const bar = progressBar('exporting');
  const count = await withDatabase(async ({ database }) => {
    const tenant = options.tenant ?? null;
    await assertTenant(database, tenant);
    const pages = exported(database, tenant, options.all === true);
    const onCount = (done: number): void => {
      bar.update(done);
    };
    try {
      return await (file === undefined
        ? writePages(pages, options.format, toStdout, onCount)
        : writePrivately(file, (to) => writePages(pages, options.format, to, onCount)));
    } finally {
      bar.end();
    }
  });
  note(`${count} users${file === undefined ? '' : ` in ${file}`}`);
}

async function toStdout(text: string): Promise<void> {
  if (!write(text)) await once(process.stdout, 'drain');
}

const UserRow = z.object({
  user_id: z.string(),
  tenant_id: z.string(),
  tenant_slug: z.string(),
  email: z.string(),
  full_name: z.string().nullable(),
  role: z.string(),
  status: z.string(),
  has_kanidm: z.boolean(),
});
type ExportedUser = z.output<typeof UserRow>;
const TenantRow = z.object({ id: z.string() });

const PAGE = 1_000;

/** Active users without an account, or with one too, by slug and address: a page at a time along the index of addresses. */
async function* exported(
  database: Pick<Database, 'query'>,
  tenant: string | null,
  all: boolean,
): AsyncGenerator<ExportedUser[]> {
  const account = sql`(u.kanidm_user_id is not null or exists (select from sallyport_links l where l.user_id = u.user_id))`;
  const tenants = await database.query(
    sql`select t.tenant_id as id from tenants t where t.deleted_at is null and ${isTenant(tenant)} order by t.slug, t.tenant_id`,
    TenantRow,
  );
  for (const { id } of tenants) {
    for (let last: string | undefined, more = true; more;) {
      const page: ExportedUser[] = await database.query(
        sql`select u.user_id, u.tenant_id, t.slug as tenant_slug, u.email, u.full_name, u.role, u.status,
              ${account} as has_kanidm
            from users u join tenants t on t.tenant_id = u.tenant_id
            where u.tenant_id = ${id} ${last === undefined ? empty : sql`and u.email > ${last}`}
              and u.deleted_at is null and u.status = 'active' ${all ? empty : sql`and not ${account}`}
            order by u.email limit ${PAGE}::int`,
        UserRow,
      );
      yield page;
      last = page.at(-1)?.email;
      more = page.length === PAGE;
    }
  }
}

async function writePages(
  pages: AsyncIterable<readonly ExportedUser[]>,
  format: ExportCommand['format'],
  to: Write,
  onCount: (count: number) => void,
): Promise<number> {
  const [begin, between, end] = format === 'json' ? ['[\n', ',\n', '\n]\n'] : ['', '\n', '\n'];
  let count = 0;
  await to(begin);
  for await (const page of pages) {
    if (page.length === 0) continue;
    await to((count === 0 ? '' : between) + page.map((user) => JSON.stringify(user)).join(between));
    count += page.length;
    onCount(count);
  }
  // An empty array needs its bracket; empty JSON lines are an empty file.
  if (format === 'json' || count > 0) await to(end);
  return count;
}
