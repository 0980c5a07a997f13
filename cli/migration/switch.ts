import * as z from 'zod';
import { auditInsert } from '../../shared/people/audit.ts';
import { MIGRATION_SWITCH } from '../../shared/people/tenants.ts';
import { sql } from '../../shared/ports/database.ts';
import { operator, withDatabase } from '../people/ground.ts';
import { print, printJson } from '../terminal.ts';

export interface SwitchCommand {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Stops mail, provisioning and deadlines. */
export async function runPause(options: SwitchCommand): Promise<void> {
  await turn(true, options);
}

/** Lets them go on. */
export async function runResume(options: SwitchCommand): Promise<void> {
  await turn(false, options);
}

const CountRow = z.object({ paused: z.boolean() });

async function turn(pause: boolean, { dryRun = false, json }: SwitchCommand): Promise<void> {
  const changed = await withDatabase(async ({ database }) => {
    if (dryRun) {
      const [row] = await database.query(
        sql`select exists (select from sallyport_switches where name = ${MIGRATION_SWITCH}) as paused`,
        CountRow,
      );
      return row?.paused !== pause;
    }
    const who = operator();
    const change = pause
      ? sql`insert into sallyport_switches (name, who) values (${MIGRATION_SWITCH}, ${who}) on conflict do nothing returning name`
      : sql`delete from sallyport_switches where name = ${MIGRATION_SWITCH} returning name`;
    const entry = auditInsert({ who, what: pause ? 'paused' : 'resumed', from: 'cli' }, sql`turned`);
    const count = await database.execute(
      sql`with turned as (${change}), recorded as (${entry}) select from turned`,
    );
    return count > 0;
  });
  if (json === true) {
    printJson({ paused: dryRun ? pause !== changed : pause, changed, dry_run: dryRun });
    return;
  }
  const state = pause ? 'paused' : 'not paused';
  if (!changed) print(`the migration is ${state} already`);
  else
    print(`the migration ${dryRun ? 'would be' : 'is'} ${state} now${dryRun ? ', nothing was changed' : ''}`);
}
