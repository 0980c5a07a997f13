import { readdir, readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { expect, vi } from 'vitest';
import { httpClient, type HttpClient } from '../support/gateway/http-client.ts';
import { LISTENING, nodeProgram } from '../support/gateway/node.ts';
import type { Program } from '../support/gateway/program.ts';
import type { GatewayVariables } from '../support/gateway/runtime.ts';
import { openRaw, type RawSocket } from '../support/raw-socket.ts';
import { FULL } from '../support/scale.ts';
import { METRICS_TOKEN, type World } from '../support/world.ts';

/** A gateway of several processes, seen from outside. */
export interface Group {
  readonly program: Program;
  readonly url: string;
  /** Each request on a connection of its own, which the next process is handed. */
  readonly client: HttpClient;
  /** Process ids of the workers, the oldest first. */
  workers(): Promise<number[]>;
  /** The sum of a counter over the lines that match. */
  counted(line: RegExp): Promise<number>;
  /** Lines of the log with this message. */
  said(message: string): Record<string, unknown>[];
  /** Drains it, and gives its exit code. */
  stop(): Promise<number | NodeJS.Signals>;
}

/**
 * Two processes unless `variables` set WORKERS. With a folder, what is not in `variables` comes from its .env. In the small form
 * as the quick build; terminal.test.ts has several processes as shipped every time.
 */
export async function startGroup(variables: GatewayVariables, folder?: string): Promise<Group> {
  const program = await (folder === undefined
    ? nodeProgram({ WORKERS: '2', ...variables }, { asShipped: FULL })
    : nodeProgram(variables, { cwd: folder, args: [], asShipped: FULL }));
  let ended = false;
  void program.ended.then(() => (ended = true));
  // One process after the other starts, and a busy machine takes its time.
  const [, url = ''] = await vi.waitUntil(
    () => {
      if (ended) throw new Error(`it ended before it listened:\n${program.output()}`);
      return LISTENING.exec(program.output());
    },
    { timeout: 600_000, interval: 20 },
  );
  const client = httpClient(url, false);
  return {
    program,
    url,
    client,
    workers: () => childrenOf(program.pid),
    async counted(line) {
      const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
      const text = await (await client.fetch('/metrics', { headers })).text();
      const lines = text.split('\n').filter((each) => line.test(each));
      return lines.reduce((sum, each) => sum + Number(each.slice(each.lastIndexOf(' '))), 0);
    },
    said: (message) =>
      program
        .output()
        .split('\n')
        .filter((line) => line.includes(`"msg":${JSON.stringify(message)}`))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    stop() {
      client.close();
      program.kill('SIGTERM');
      return program.ended;
    },
  };
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // proc(5): the name, field 2, may contain spaces; then state, parent, …, and as field 22 the time of the start.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] !== 'Z' && Number(fields[1]) === parent
        ? [{ pid: Number(pid), since: Number(fields[19]) }]
        : [];
    }),
  );
  const children = found.flat().sort((a, b) => a.since - b.since || a.pid - b.pid);
  return children.map(({ pid }) => pid);
}

/** Requests on connections of their own, one after the other, that the upstream leaves open until `finish`. */
export async function held(world: World, { url }: Group, path: string, count: number) {
  const arrived: ServerResponse[] = [];
  world.upstream.on(path, (incoming, outgoing) => {
    incoming.resume();
    arrived.push(outgoing);
  });
  const sockets: RawSocket[] = [];
  for (let n = 1; n <= count; n++) {
    const raw = openRaw(url);
    raw.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    sockets.push(raw);
    await expect.poll(() => arrived.length).toBe(n);
  }
  return { sockets, finish: () => void arrived.splice(0).map((outgoing) => outgoing.end('done')) };
}
