import { open } from 'node:fs/promises';

const BLOCK = 512;
/** POSIX pax format, "ustar Header Block". */
const NAME = [0, 100] as const;
const SIZE = [124, 136] as const;
const MAGIC = [257, 262] as const;

/** Whether the first block of a file is that of a tar. */
export function isTar(head: Buffer): boolean {
  return head.subarray(...MAGIC).toString('latin1') === 'ustar';
}

/**
 * What a tar lacks, by its headers alone; undefined: each member is whole, and the empty block is there that ends it. pg_restore reads one
 * that was cut off for ever.
 */
export async function cutIn(file: string): Promise<string | undefined> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const header = Buffer.alloc(BLOCK);
    for (let at = 0; ;) {
      const { bytesRead } = await handle.read(header, 0, BLOCK, at);
      if (bytesRead < BLOCK) return 'it lacks the block that ends a tar';
      if (header.every((byte) => byte === 0)) return undefined;
      const name = header
        .subarray(...NAME)
        .toString('latin1')
        .replace(/\0.*$/s, '');
      if (!isTar(header)) return `what follows at byte ${at} is no member of a tar`;
      const end = at + BLOCK + Math.ceil(sizeIn(header) / BLOCK) * BLOCK;
      if (end > size) return `it ends within ${name}`;
      at = end;
    }
  } finally {
    await handle.close();
  }
}

/** Octal digits, or where the first bit is set a number of eleven bytes: members of more than 8 GiB. */
function sizeIn(header: Buffer): number {
  const field = header.subarray(...SIZE);
  if (((field[0] ?? 0) & 0x80) !== 0) return field.readUIntBE(field.length - 6, 6);
  const octal = field.toString('latin1').replaceAll(/[^0-7]/g, '');
  return octal === '' ? 0 : Number.parseInt(octal, 8);
}
