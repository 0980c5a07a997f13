import { confirmed } from '../../confirm.ts';
import { Failure } from '../../failure.ts';
import { print, printJson } from '../../terminal.ts';
import { earlierRuns } from './earlier.ts';
import { withRun, type OfRun, type RunCommand } from './recover.ts';
import { factsOf } from './run.ts';
import { dropDatabase, findDatabase, type Found } from './server.ts';
import { sizeOf } from './size.ts';
import { RECOVER, SWAP } from './steps.ts';

/** Removes what an import, or the way back from it, has kept beside the target. Its backup stays. Throws Failure. */
export async function runFinish(wanted: string | undefined, options: RunCommand): Promise<void> {
  await withRun(wanted, async (of) => {
    const { server, journal } = of;
    const facts = factsOf(journal);
    const isBack = journal.find(RECOVER, 'done') !== undefined;
    if (journal.find(SWAP, 'done') === undefined && !isBack)
      throw new Failure(
        `import ${journal.run} has not come to its end: \`sallyport zitadel import --resume\` goes on, \`import recover\` goes back`,
      );
    const found = await findDatabase(server, isBack ? facts.copy : facts.kept);
    const backup = journal.find('backup', 'done')?.['file'];
    const stays = typeof backup === 'string' ? `; its backup stays: ${backup}` : '';
    if (found === undefined) {
      report(
        options,
        { run: journal.run, removed: null, backup: backup ?? null },
        `import ${journal.run}: nothing of it is kept beside ${facts.target}${stays}`,
        await nextAfter(of),
      );
      return;
    }
    if (options.dryRun === true) {
      report(
        options,
        { dry_run: true, run: journal.run, removes: found.name },
        `${describe(found)} would be removed${stays}`,
        `sallyport zitadel import finish ${journal.run}`,
      );
      return;
    }
    await confirmed({ what: `this removes ${describe(found)}`, name: found.name }, options.yes);
    journal.record('finish', 'begun', { name: found.name });
    await dropDatabase(server, found.name);
    journal.record('finish', 'done', { name: found.name });
    report(
      options,
      { run: journal.run, removed: found.name, backup: backup ?? null },
      `${found.name} is removed${stays}`,
      await nextAfter(of),
    );
  });
}

function describe({ name, bytes }: Found): string {
  return `${name} (${sizeOf(bytes)})`;
}

/** What another import has kept is forgotten as soon as a newer one is what `finish` takes by default. */
async function nextAfter({ config, server, journal }: OfRun): Promise<string> {
  for (const { run, facts, state } of earlierRuns(config.backupDir, server)) {
    if (run === journal.run || state === 'open') continue;
    const kept = state === 'recovered' ? facts.copy : facts.kept;
    if ((await findDatabase(server, kept)) !== undefined)
      return `sallyport zitadel import finish ${run}, which removes ${kept}`;
  }
  return 'sallyport backup create';
}

function report({ json }: RunCommand, machine: object, line: string, next: string): void {
  if (json === true) printJson({ ok: true, ...machine, next });
  else for (const each of [line, `next: ${next}`]) print(each);
}
