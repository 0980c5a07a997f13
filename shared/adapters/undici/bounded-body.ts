import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { bodyTooLarge } from '../../errors.ts';
import { bodyBrokeOff, bodyStalled } from '../upstream-faults.ts';

/**
 * A caller's body on its way to the upstream; the caller's message stays untouched until the first read.
 * Errors with Refusal `body_too_large` over `maxBytes` (also with a false declared length), `request_timeout` when the
 * caller is silent for `silenceMs` while its next byte is awaited, and `invalid_request` when the body breaks off.
 */
export class BoundedBody extends Readable {
  private readonly message: IncomingMessage;
  private readonly maxBytes: number;
  private readonly silenceMs: number;
  private bytes = 0;
  private silence: NodeJS.Timeout | undefined;

  constructor(message: IncomingMessage, maxBytes: number, silenceMs: number) {
    super();
    this.message = message;
    this.maxBytes = maxBytes;
    this.silenceMs = silenceMs;
  }

  override _read(): void {
    if (this.silence === undefined) this.attach();
    else this.silence.refresh();
    this.message.resume();
  }

  /** Leaves the message intact for its server, which answers on the same connection and drains the rest. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.silence);
    const { message } = this;
    message.off('data', this.pass).off('end', this.finish).off('close', this.breakOff);
    done(error);
  }

  private attach(): void {
    this.silence = setTimeout(this.stall, this.silenceMs);
    this.message.on('data', this.pass).on('end', this.finish).on('close', this.breakOff);
    // Without a listener the message does not emit its error, and 'close' signals the same.
  }

  private readonly pass = (chunk: Buffer): void => {
    this.bytes += chunk.byteLength;
    if (this.bytes > this.maxBytes) this.destroy(bodyTooLarge(this.maxBytes));
    else if (this.push(chunk)) this.silence?.refresh();
    else this.message.pause();
  };

  private readonly finish = (): void => {
    this.push(null);
  };

  private readonly stall = (): void => {
    // Paused: the upstream is not ready for more, and its time is bounded elsewhere.
    if (this.message.isPaused()) this.silence?.refresh();
    else this.destroy(bodyStalled());
  };

  private readonly breakOff = (): void => {
    if (!this.message.complete) this.destroy(bodyBrokeOff());
  };
}
