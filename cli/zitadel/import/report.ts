import { print, printJson } from '../../terminal.ts';
import type { Run } from './run.ts';
import type { Outcome } from './steps.ts';

const CONTINUE = 'ZITADEL_API_URL=… ZITADEL_SERVICE_TOKEN=… sallyport zitadel import --resume';

/** Prints what was done, what remains, and what to do next. */
export function report(
  { facts, journal }: Run,
  { steps, remaining }: Outcome,
  { json }: { readonly json?: boolean },
): void {
  const finish = facts.oid === null ? null : `sallyport zitadel import finish ${journal.run}`;
  const next = remaining.length > 0 ? CONTINUE : finish;
  if (json === true) {
    printJson({
      ok: true,
      run: journal.run,
      ...{
        to: facts.to,
        database: facts.target,
        kept: facts.oid === null ? null : facts.kept,
        journal: journal.folder,
      },
      ...{ steps, remaining: remaining.map(({ name, does }) => ({ name, does })), next },
    });
    return;
  }
  print(`import ${journal.run}: ${facts.target} is the imported database`);
  for (const { name, says } of steps) print(`  ${name}${says === '' ? '' : `: ${says}`}`);
  if (remaining.length > 0) {
    print(`${facts.to === 'postgres' ? 'start Zitadel on it; what' : 'what'} remains:`);
    for (const { name, does } of remaining) print(`  ${name}: ${does}`);
    print(`next: ${CONTINUE}`);
  }
  if (finish !== null) {
    print(`the former database is kept as ${facts.kept}; when all is well: ${finish}`);
    print(`back to it: sallyport zitadel import recover ${journal.run}`);
  }
}
