import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Passwords } from '../../ports/passwords.ts';

const MOST_THREADS = 4;

type Call =
  | { readonly what: 'verify'; readonly password: string; readonly hash: string }
  | { readonly what: 'hash'; readonly password: string; readonly cost: number };

/**
 * What a thread runs. On Linux niceness is of the thread: it takes what processors have left, and the event loop, DNS and files, whose
 * threads are others, go before it. $2y$ is what the library writes; it means the same, and other libraries refuse it.
 */
const SCRIPT = `
const { parentPort, workerData } = require('node:worker_threads');
const { createRequire } = require('node:module');
if (process.platform === 'linux') require('node:os').setPriority(0, 10);
const { verifySync, hashSync } = createRequire(workerData)('@node-rs/bcrypt');
parentPort.on('message', (call) => {
  parentPort.postMessage(
    call.what === 'verify'
      ? verifySync(call.password, call.hash)
      : hashSync(call.password, call.cost).replace(/^\\$2[ay]\\$/, '$2b$$'),
  );
});`;

/** On threads of its own. They begin with the first password, since most processes have none to check, and wait for the next. */
export function nativeBcrypt(): Passwords {
  const idle: Worker[] = [];
  const run = async (call: Call): Promise<unknown> => {
    const thread =
      idle.pop() ?? new Worker(SCRIPT, { eval: true, execArgv: [], workerData: import.meta.url });
    // A process ends although threads wait, and not while one computes.
    thread.ref();
    const answer = await answerOf(thread, call);
    thread.unref();
    idle.push(thread);
    return answer;
  };
  return {
    verify: async (password, hash) => (await run({ what: 'verify', password, hash })) === true,
    hash: async (password, cost) => String(await run({ what: 'hash', password, cost })),
    atOnce: Math.min(MOST_THREADS, availableParallelism()),
  };
}

/** Rejects when the thread ends, as it does by what it throws. */
function answerOf(thread: Worker, call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (): void => {
      reject(new Error('a thread of bcrypt ended'));
    };
    thread.once('error', reject);
    thread.once('exit', ended);
    thread.once('message', (answer: unknown) => {
      thread.off('error', reject);
      thread.off('exit', ended);
      resolve(answer);
    });
    thread.postMessage(call);
  });
}
