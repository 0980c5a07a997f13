import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { spawnSallyport } from '../support/sallyport.ts';
import type { ImportGround } from './import-ground.ts';

/** Folders of the runs that there are. */
export async function runsIn({ folder }: ImportGround): Promise<readonly string[]> {
  const backups = join(folder, 'backups');
  return existsSync(backups) ? readdirSync(backups).filter((name) => name.startsWith('import-')) : [];
}

/** Until the child says `words`, or until its end. */
export async function until(child: ReturnType<typeof spawnSallyport>, words: string | undefined) {
  let text = '';
  const closed = once(child, 'close') as Promise<[number | null]>;
  child.stdout!.resume();
  const said = new Promise<void>((resolve) => {
    child.stderr!.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (words !== undefined && text.includes(words)) resolve();
    });
  });
  const [code] = words === undefined ? await closed : await Promise.race([said.then(() => [null]), closed]);
  return { code, text };
}

/** Until the journal of the new run holds `words`, or the import is over. */
export async function journalOf(
  ground: ImportGround,
  before: readonly string[],
  isOver: () => boolean,
  words: string,
): Promise<void> {
  while (!isOver()) {
    const [run] = (await runsIn(ground)).filter((name) => !before.includes(name));
    const file = run === undefined ? '' : join(ground.folder, 'backups', run, 'journal.jsonl');
    if (existsSync(file) && readFileSync(file, 'utf8').includes(words)) return;
    await setImmediate();
  }
}
