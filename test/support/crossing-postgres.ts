import { connect, createServer, type Socket } from 'node:net';
import type { Border } from './border.ts';
import { openCrossing, tracked, type Crossing, type UnderWay } from './crossing.ts';
import { messageCutter } from './postgres-messages.ts';

/** Parse, Bind, Describe and Execute go on together with the Sync that follows them. */
const PARTS = new Set(['P', 'B', 'D', 'E']);
const SYNC = 'S';
const READY = 'Z';

/** Each statement is a call: what comes up to a Sync, and its answer up to ReadyForQuery. */
export function crossToPostgres(target: string, border: Border): Promise<Crossing> {
  const { hostname, port } = new URL(target);
  const underWay: UnderWay = new Set();
  const server = createServer((near) => {
    new Session(near, connect(Number(port), hostname), border, underWay).open();
  });
  return openCrossing(server, target, underWay);
}

/** One connection. The client waits for each answer, so there is one statement at a time. */
class Session {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #border: Border;
  readonly #underWay: UnderWay;
  #fate: ReturnType<Border['judge']> = 'passes';
  #done: (() => void) | undefined;

  constructor(near: Socket, far: Socket, border: Border, underWay: UnderWay) {
    [this.#near, this.#far, this.#border, this.#underWay] = [near, far, border, underWay];
  }

  open(): void {
    const [asked, told] = [messageCutter({ opening: true }), messageCutter({ opening: false })];
    let question: Buffer[] = [];
    let answer: Buffer[] = [];
    this.#near.on('data', (chunk) => {
      for (const { type, bytes } of asked(chunk)) {
        question.push(bytes);
        if (PARTS.has(type)) continue;
        this.#passOn(type, Buffer.concat(question));
        question = [];
      }
    });
    this.#far.on('data', (chunk) => {
      for (const { type, bytes } of told(chunk)) {
        answer.push(bytes);
        if (type !== READY) continue;
        this.#bringBack(Buffer.concat(answer));
        answer = [];
      }
    });
    this.#near.on('close', () => {
      // What was passed on is carried out, although nobody waits for it any more.
      if (this.#done === undefined) this.#far.end();
    });
    this.#far.on('close', () => {
      this.#finish();
      this.#near.destroy();
    });
    for (const socket of [this.#near, this.#far]) socket.on('error', () => undefined);
  }

  #passOn(type: string, question: Buffer): void {
    if (type === SYNC) {
      this.#fate = this.#border.judge();
      if (this.#fate === 'lost') {
        this.#end();
        return;
      }
      void tracked(this.#underWay, new Promise<void>((resolve) => (this.#done = resolve)));
    }
    this.#far.write(question);
  }

  #bringBack(answer: Buffer): void {
    this.#finish();
    if (this.#fate === 'unanswered' || this.#border.struck) {
      this.#end();
      return;
    }
    const last = this.#fate === 'answered';
    this.#near.write(answer, () => {
      if (last) this.#border.strike();
    });
  }

  #finish(): void {
    this.#done?.();
    this.#done = undefined;
  }

  #end(): void {
    // First, so that who made the call sees nothing of what follows.
    this.#border.strike();
    this.#near.destroy();
    this.#far.end();
  }
}
