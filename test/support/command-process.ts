import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net, { type Socket } from 'node:net';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
import tls from 'node:tls';
import { Script } from 'node:vm';

/** The wrapper that test/support/bundled.ts puts around a program. */
type Program = (
  exports: unknown,
  require: (name: string) => unknown,
  module: unknown,
  filename: string,
  folder: string,
  process: unknown,
) => void;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const programs = new Map<string, Program>();

/** Compiled once; what it keeps in its modules begins anew with each call, as in a process. */
function programIn(filename: string): Program {
  const known = programs.get(filename);
  if (known !== undefined) return known;
  const script = new Script(readFileSync(filename, 'latin1'), { filename });
  const program = script.runInThisContext() as Program;
  programs.set(filename, program);
  return program;
}

/** Collects what is written; no terminal. */
class Written extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** What a program has of its own as a process; all else is of this one. */
class OwnProcess extends EventEmitter {
  readonly argv: readonly string[];
  readonly env: Record<string, string>;
  readonly stdin = Readable.from([]);
  readonly stdout = new Written();
  readonly stderr = new Written();
  exitCode: number | undefined;
  exit: (code?: number) => void = () => undefined;
  readonly exited = new Promise<void>((resolve) => {
    this.exit = (code = this.exitCode) => {
      this.exitCode = code;
      resolve();
    };
  });

  constructor(argv: readonly string[], env: Readonly<Record<string, string>>) {
    super();
    this.argv = argv;
    this.env = { ...env };
  }
}

/**
 * Runs a program of test/support/bundled.ts that exports `ended`, inside this process but with arguments, variables, streams,
 * listeners and an exit code of its own. A promise about processes (signals, pipes, memory, the folder) needs a real one.
 */
export async function runInProcess(
  filename: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  const own = new OwnProcess([process.execPath, filename, ...args], env);
  const shown = new Proxy(own, {
    get: (target, key) => Reflect.get(key in target ? target : process, key) as unknown,
    has: (target, key) => key in target || key in process,
  });
  const sockets = new Set<Socket>();
  const loaded = createRequire(filename);
  const replaced: Readonly<Record<string, unknown>> = {
    process: shown,
    net: recording(net, sockets),
    tls: recording(tls, sockets),
  };
  const module = { exports: {} as { readonly ended?: Promise<void> } };
  const load = (name: string): unknown => replaced[name.replace(/^node:/, '')] ?? loaded(name);
  programIn(filename)(module.exports, load, module, filename, dirname(filename), shown);
  await Promise.race([module.exports.ended, own.exited]);
  own.emit('exit', own.exitCode ?? 0);
  // Connections that are kept for later calls end with their process.
  for (const socket of sockets) socket.destroy();
  return { code: own.exitCode ?? 0, stdout: own.stdout.text(), stderr: own.stderr.text() };
}

/** The module, with connections that are kept in `sockets` while they are open. */
function recording<M extends { readonly connect: (...args: never[]) => Socket }>(
  module: M,
  sockets: Set<Socket>,
): M {
  const connect = (...args: never[]): Socket => {
    const socket = module.connect(...args);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  return Object.create(module, { connect: { value: connect }, createConnection: { value: connect } }) as M;
}
