import { bodyTooLarge, Refusal } from '../../errors.ts';
import { UPLOAD_SILENCE_MS } from '../../ports/upstream.ts';
import { bodyBrokeOff, bodyStalled } from '../upstream-faults.ts';

/** The one wait of an exchange that is on, for the upstream or for the caller: whoever is late ends the whole call. */
export class Watch {
  private readonly cut: AbortController;
  private readonly timeoutMs: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(cut: AbortController, timeoutMs: number) {
    this.cut = cut;
    this.timeoutMs = timeoutMs;
  }

  /** The upstream is to take the next bytes, or to answer. */
  upstream(): void {
    this.wait(this.timeoutMs, upstreamIsLate);
  }

  /** The caller is to send the next bytes. */
  caller(): void {
    this.wait(UPLOAD_SILENCE_MS, bodyStalled);
  }

  /** The answer is there, or there is none. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Never by an error of the body: workerd ends a failed chunked body as if it were whole, and the upstream acts on half. */
  end(refusal: Refusal): void {
    // After the answer began nobody gets the refusal any more; workerd would log it as an exception that none caught.
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

/** What is there, up to this, is one piece: workerd's own pieces of 4 KiB cost a crossing into JavaScript each. */
const PIECE_BYTES = 65_536;

/** Hands a caller's body on, piece by piece; ends the call when it breaks off or is over `maxBytes`. Never rejects. */
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
      // An upstream that wants no more says why in its answer.
      if (!(await succeeds(writer.write(value)))) return;
    }
    await succeeds(writer.close());
  } catch (error) {
    watch.end(error instanceof Refusal ? error : bodyBrokeOff(error));
  }
}

/** For a body that the runtime hands on by itself: what comes is counted as the caller's time. Never rejects. */
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
