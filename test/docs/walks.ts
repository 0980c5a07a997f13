/**
 * The production files that one request, one event and one `rules sync` pass through, counted by V8: those of which a
 * function runs between two takes of its coverage, each time of several. `npx tsx test/docs/walks.ts --write` brings
 * docs/walks.md up to date; without it the same text is printed.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startStack, type Stack } from '../../dev/stack.ts';
import { startServer } from '../../functions/node/process.ts';
import { main } from '../../cli/main.ts';

type Walks = Readonly<Record<'A request, everything remembered' | 'An event' | '`rules sync`', readonly string[]>>;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PRODUCT = /^(?:functions|shared|cli)\//;

async function walks(): Promise<Walks> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const stack = await startStack({ gatewayUrl: url });
  const server = await startServer({ ...stack.variables, PORT: String(port), HOST: '127.0.0.1' });
  try {
    const take = await coverage();
    const request = await requestWalk(url, stack, take);
    const event = await common(take, (time) => createUser(stack, `walker-${time}`));
    const sync = await syncWalk(stack, take);
    return { 'A request, everything remembered': request, 'An event': event, '`rules sync`': sync };
  } finally {
    await server.close();
    await stack.close();
  }
}

type Take = () => Promise<readonly string[]>;

/** Returns what ran since it was called before. */
async function coverage(): Promise<Take> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  return async () => {
    const { result } = await session.post('Profiler.takePreciseCoverage');
    return result
      .filter(({ functions }) => functions.some(({ ranges: [whole] }) => whole !== undefined && whole.startOffset > 0 && whole.count > 0))
      .flatMap(({ url }) => (url.startsWith('file:') ? [fileURLToPath(url.split('?', 1)[0] ?? '')] : []))
      .flatMap((path) => (path.startsWith(ROOT) ? [path.slice(ROOT.length)] : []))
      .filter((path) => PRODUCT.test(path))
      .sort();
  };
}

async function requestWalk(url: string, stack: Stack, take: Take): Promise<readonly string[]> {
  const authorization = `Bearer ${await stack.oidc.mintToken('alice')}`;
  const get = async (): Promise<void> => {
    const answer = await fetch(`${url}/api/reports`, { headers: { authorization } });
    await answer.text();
    if (answer.status !== 200) throw new Error(`the request was answered with ${answer.status}`);
  };
  return common(take, get);
}

const TIMES = 5;

/** What ran every time but the first, which fills caches; timers and the schedule run now and then. */
async function common(take: Take, act: (time: number) => Promise<void>): Promise<readonly string[]> {
  let files: readonly string[] | undefined;
  await act(0);
  await take();
  for (let time = 1; time <= TIMES; time += 1) {
    await act(time);
    const ran = new Set(await take());
    files = (files ?? [...ran]).filter((file) => ran.has(file));
  }
  return files ?? [];
}

/** Answered once the event is delivered and applied. */
async function createUser({ zitadel }: Stack, userId: string): Promise<void> {
  const answer = await fetch(`${zitadel.url}/v2/users/new`, {
    method: 'POST',
    headers: { authorization: `Bearer ${zitadel.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ userId, human: { email: { email: `${userId}@example.org` } } }),
  });
  if (!answer.ok) throw new Error(`the stand-in of Zitadel answered ${answer.status}: ${await answer.text()}`);
}

async function syncWalk(stack: Stack, take: Take): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-walks-'));
  const rules = (name: string, feature: string): string => {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify([{ path: '/welcome', method: 'GET', feature }]));
    return file;
  };
  Object.assign(process.env, stack.variables, {
    ACCESS_RULES_PREV: rules('before.json', 'feature:welcome'),
    ACCESS_RULES: rules('after.json', 'feature:hello'),
  });
  const command = ['node', 'sallyport', 'rules', 'sync', '--json'];
  await main([...command, '--dry-run']);
  await take();
  const code = await main(command);
  if (code !== 0) throw new Error(`rules sync ended with ${code}`);
  return take();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function page(counted: Walks): string {
  const sections = Object.entries(counted).map(([name, files]) => {
    const folders = new Map<string, string[]>();
    for (const file of files) {
      const folder = file.slice(0, file.lastIndexOf('/'));
      folders.set(folder, [...(folders.get(folder) ?? []), file]);
    };
    const lines = [...folders].map(
      ([folder, inside]) => `- ${folder}: ${inside.map((file) => file.slice(folder.length + 1)).join(', ')}`,
    );
    return `## ${name}: ${files.length} files\n\n${lines.join('\n')}\n`;
  });
  return `${HEADING}\n${sections.join('\n')}`;
}

const HEADING = `# Walks

The files of functions/, shared/ and cli/ in which something runs for one request, one event and one command, counted by V8 on Node
with counters in memory: \`npx tsx test/docs/walks.ts --write\` counts again and writes this page.

Why they are not shorter: a file has one reason to change and some 120 lines, and the walks run through 4,600, 5,000 and 6,000 lines of files. Half
the length would take files of 220 to 250 lines, with two or three reasons each. What the files are, by group:

- A request: nearly half are the gateway's four steps with reading and forwarding, one to four files a step. The others: the frame of every answer
  (CORS, own paths, quota, log line, trusted proxies); adapters by port (counters, log, metrics, upstream: one to three files each); the look
  at whether a remembered token's key is still held; the server of the runtime; the proof and the clock.
- An event: a quarter is its own (verify, parse, store, apply); a third the runtime, the reading and the frame that a request has as well; the rest
  adapters, one to a port, with SQL, identities and the queue, and at the end the gateway's caches, which forget the user.
- \`rules sync\`: a fifth each are the command line, the run itself, and the language of rules that both files are read by; the rest is configuration
  by slices, adapters and the shared run, lease and SQL.
`;

const text = page(await walks());
if (process.argv.includes('--write')) writeFileSync(join(ROOT, 'docs/walks.md'), text);
else process.stderr.write(text);
process.exit();
