/** A message of Postgres' protocol, with its type letter; that of the opening one, which has none, is empty. */
export interface PostgresMessage {
  readonly type: string;
  readonly bytes: Buffer;
}

const LENGTH = 4;

/** Cuts one direction of a connection into messages; `opening`: the first one is the client's start-up packet. */
export function messageCutter({
  opening,
}: {
  readonly opening: boolean;
}): (chunk: Buffer) => PostgresMessage[] {
  let rest: Buffer = Buffer.alloc(0);
  let untyped = opening;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const found: PostgresMessage[] = [];
    for (;;) {
      const head = untyped ? 0 : 1;
      if (rest.length < head + LENGTH) return found;
      const size = head + rest.readInt32BE(head);
      if (rest.length < size) return found;
      found.push({ type: rest.toString('latin1', 0, head), bytes: rest.subarray(0, size) });
      rest = rest.subarray(size);
      untyped = false;
    }
  };
}
