/** RFC 6455 §5.2: two bytes, up to eight of an extended length, four of a mask. */
const LONGEST_HEAD = 14;
const GOING_AWAY = 1001;

/** Tracks WebSocket frame boundaries in a byte stream; payloads are not inspected. */
export class FrameBoundaries {
  private readonly head = Buffer.alloc(LONGEST_HEAD);
  private headBytes = 0;
  /** Bytes of payload still to come. */
  private payload = 0;

  /** Between two frames, or before the first: another frame may be inserted here. */
  get between(): boolean {
    return this.headBytes === 0 && this.payload === 0;
  }

  /** Advances over the whole piece. */
  pass(piece: Buffer): void {
    for (let at = 0; at < piece.length;) at = this.step(piece, at);
  }

  /** Advances to the next boundary; returns the number of bytes before it. */
  toBoundary(piece: Buffer): number {
    let at = 0;
    while (!this.between && at < piece.length) at = this.step(piece, at);
    return at;
  }

  private step(piece: Buffer, at: number): number {
    if (this.payload > 0) {
      const skipped = Math.min(this.payload, piece.length - at);
      this.payload -= skipped;
      return at + skipped;
    }
    this.head[this.headBytes++] = piece[at] ?? 0;
    if (this.headBytes > 1 && this.headBytes === headLength(this.head)) {
      this.payload = payloadLength(this.head);
      this.headBytes = 0;
    }
    return at + 1;
  }
}

function headLength(head: Buffer): number {
  const second = head[1] ?? 0;
  const length = second & 0x7f;
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second >= 0x80 ? 4 : 0);
}

function payloadLength(head: Buffer): number {
  const length = (head[1] ?? 0) & 0x7f;
  if (length === 127) return Number(head.readBigUInt64BE(2));
  return length === 126 ? head.readUInt16BE(2) : length;
}

/** RFC 6455 §5.5.1, §7.4.1: a close frame with `going away`. Clients must mask it, servers must not (§5.1). */
export function goingAway(mask?: Buffer): Buffer {
  const code = Buffer.alloc(2);
  code.writeUInt16BE(GOING_AWAY);
  if (mask === undefined) return Buffer.from([0x88, code.length, ...code]);
  const masked = code.map((byte, i) => byte ^ (mask[i] ?? 0));
  return Buffer.from([0x88, 0x80 | code.length, ...mask, ...masked]);
}
