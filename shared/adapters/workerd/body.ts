import { bodyTooLarge, Refusal } from '../../errors.ts';
import { UPLOAD_SILENCE_MS } from '../../ports/upstream.ts';
import { bodyBrokeOff, bodyStalled } from '../upstream-faults.ts';

/** Bounds the current wait of an exchange, for the upstream or for the caller: a late side ends the whole call. */
export class Watch {
  private readonly cut: AbortController;
  private readonly timeoutMs: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(cut: AbortController, timeoutMs: number) {
    this.cut = cut;
    this.timeoutMs = timeoutMs;
  }

  /** Waits for the upstream to take the next bytes, or to answer. */
  upstream(): void {
    this.wait(this.timeoutMs, upstreamIsLate);
  }

  /** Waits for the caller to send the next bytes. */
  caller(): void {
    this.wait(UPLOAD_SILENCE_MS, bodyStalled);
  }

  /** The answer has begun, or failed. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Never errors the body: workerd ends a failed chunked body as if it were whole, and the upstream acts on half. */
  end(refusal: Refusal): void {
    // After the answer began the refusal has no recipient; workerd would log it as an uncaught exception.
    this.cut.abort(this.stopped ? undefined : refusal);
  }

  private wait(ms: number, late: () => Refusal): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.end(late());
    }, ms);
  }
}

export function upstreamIsLate(): Refusal {
  return new Refusal('upstream_timeout', 'no answer in time');
}

/** Most bytes per read: workerd's own pieces of 4 KiB cost a crossing into JavaScript each. */
const PIECE_BYTES = 65_536;

/** Forwards a caller's body piece by piece; ends the call when it breaks off or exceeds `maxBytes`. Never rejects. */
export async function handOn(
  body: ReadableStream<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  maxBytes: number,
  watch: Watch,
): Promise<void> {
  let bytes = 0;
  try {
    const reader = body.getReader({ mode: 'byob' });
    for (;;) {
      watch.caller();
      const { done, value } = await reader.read(new Uint8Array(PIECE_BYTES));
      watch.upstream();
      if (done) break;
      bytes += value.byteLength;
      if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
      // An upstream that takes no more answers with the reason.
      if (!(await succeeds(writer.write(value)))) return;
    }
    await succeeds(writer.close());
  } catch (error) {
    watch.end(error instanceof Refusal ? error : bodyBrokeOff(error));
  }
}

/** For a body that the runtime forwards: attributes waits to the caller as its pieces arrive. Never rejects. */
export async function seen(copy: ReadableStream<Uint8Array>, watch: Watch): Promise<void> {
  try {
    const reader = copy.getReader();
    do watch.caller();
    while (!(await reader.read()).done);
    watch.upstream();
  } catch (error) {
    watch.end(bodyBrokeOff(error));
  }
}

function succeeds(step: Promise<void>): Promise<boolean> {
  return step.then(
    () => true,
    () => false,
  );
}
