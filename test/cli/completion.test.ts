import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sallyport } from '../support/sallyport.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-completion-'));
  await writeFile(join(folder, 'rules of today.json'), '[]');
  await mkdir(join(folder, 'ruled'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await sallyport({}, 'completion', shell);
    await writeFile(join(folder, shell), stdout);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a shell offers for the last word of a line, in the folder. */
type Offer = (words: readonly string[]) => Promise<readonly string[]>;

async function run(shell: string, args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(shell, [...args], { cwd: folder });
  return stdout.split('\n').filter((line) => line !== '');
}

const bash: Offer = (words) =>
  run('bash', [
    ...['--norc', '-c'],
    'source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport; printf "%s\\n" "${COMPREPLY[@]}"',
    ...['bash', ...words],
  ]);

/** The completion system stands for itself: what is handed to it is printed, cut to the word as it would. */
const ZSH = `
_describe() { local list=$@[-1]; print -rl -- \${(M)\${(@)\${(P@)list}%%:*}:#\${words[CURRENT]}*} }
_files() { print -rl -- \${words[CURRENT]}*(N) }
_message() { }
compadd() { shift; print -rl -- \${(M)@:#\${words[CURRENT]##*=}*} }
compset() { [[ \${words[CURRENT]} == *=* ]] }
compdef() { }
source ./zsh
words=("$@"); CURRENT=$#
_sallyport`;
const zsh: Offer = (words) => run('zsh', ['-f', '-c', ZSH, 'zsh', ...words]);

const fish: Offer = async (words) => {
  const lines = await run('fish', [
    ...['--no-config', '-c'],
    `source ./fish; complete -C '${words.join(' ')}'`,
  ]);
  return lines.map((line) => (line.split('\t')[0] ?? '').replace(/\/$/, ''));
};

const GROUPS =
  'access audit backup completion cron db doctor fga help keys mail migration rules tenants users waves webhooks zitadel'.split(
    ' ',
  );

const shells = [
  ['bash', bash],
  ['zsh', zsh],
  ['fish', fish],
] as const;

for (const [name, offer] of shells) {
  const absent = spawnSync(name, ['--version']).error !== undefined;
  describe.skipIf(absent)(`completion in ${name} (needs ${name})`, () => {
    it.each([
      ['sallyport ', GROUPS],
      ['sallyport r', ['rules']],
      ['sallyport fga tuples ', ['export', 'import']],
      ['sallyport fga tuples export --', ['--env-file', '--help', '--json', '--resume']],
      ['sallyport webhooks list --status ', ['applied', 'dead', 'pending']],
      ['sallyport webhooks list --json --status p', ['pending']],
      ['sallyport webhooks list --user webhooks --sta', ['--status']],
      ['sallyport rules explain D', ['DELETE']],
      ['sallyport rules check rule', ['ruled', 'rules of today.json']],
      ['sallyport rules diff --previous rules', ['rules of today.json']],
      ['sallyport --env-file ru', ['ruled', 'rules of today.json']],
      ['sallyport --env-file ruled cron run webhooks-r', ['webhooks-reconcile']],
      ['sallyport keys generate --add --k', ['--keep']],
      ['sallyport completion ', ['bash', 'fish', 'zsh']],
      ['sallyport webhooks list --user ', []],
      ['sallyport db status ', []],
    ])('offers for `%s` %j', async (line, wanted) => {
      expect((await offer(line.split(' '))).toSorted()).toEqual(wanted);
    });
  });
}

describe.skipIf(spawnSync('bash', ['--version']).error !== undefined)(
  'completion in bash (needs bash)',
  () => {
    it('takes the value after an equals sign, which the shell hands over in words of their own', async () => {
      expect(await bash(['sallyport', 'webhooks', 'list', '--status', '=', 'p'])).toEqual(['pending']);
      expect(await bash(['sallyport', 'webhooks', 'list', '--status', '=', 'dead', '--us'])).toEqual([
        '--user',
      ]);
    });
  },
);

it('a shell that has none is a usage mistake', async () => {
  expect(await sallyport({}, 'completion', 'tcsh')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('bash, zsh or fish') as unknown,
  });
});
