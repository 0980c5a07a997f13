import {
  compactDecrypt,
  CompactEncrypt,
  exportJWK,
  generateSecret,
  type CompactJWEHeaderParameters,
} from 'jose';
import * as z from 'zod';
import type { SealingKey } from './keys.ts';

/**
 * Parts of a long text or file, each a JWE in compact form (RFC 7516) under one key that is itself encrypted to a recipient. Their protected
 * headers number them and mark the last one, so that none can be cut off, left out, moved, or taken from elsewhere.
 */

const ENC = 'A256GCM';
const Wrapped = z.object({ k: z.string() });

/** Encrypts and opens parts. `k`: the same key in base64url. */
export interface ContentKey {
  readonly k: string;
  readonly bytes: Uint8Array;
}

/** What a part's header says beside the algorithms; `typ` names the format. */
export type PartHeader = Readonly<{ typ: string; seq: number; last: boolean } & Record<string, unknown>>;

export async function newContentKey(): Promise<ContentKey> {
  const { k } = Wrapped.parse(await exportJWK(await generateSecret(ENC, { extractable: true })));
  return contentKey(k);
}

function contentKey(k: string): ContentKey {
  return { k, bytes: Buffer.from(k, 'base64url') };
}

/** The key as the recipient alone can open it. */
export function wrapped({ k }: ContentKey, { key, alg }: SealingKey, typ: string): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify({ k }));
  return new CompactEncrypt(text).setProtectedHeader({ alg, enc: ENC, typ }).encrypt(key);
}

/** Undefined where it was encrypted to another key, or was changed. */
export async function unwrapped(text: string, { key, alg }: SealingKey): Promise<ContentKey | undefined> {
  try {
    const { plaintext } = await compactDecrypt(text, key, {
      keyManagementAlgorithms: [alg],
      contentEncryptionAlgorithms: [ENC],
    });
    return contentKey(Wrapped.parse(JSON.parse(new TextDecoder().decode(plaintext))).k);
  } catch {
    return undefined;
  }
}

export function sealed(part: Uint8Array, header: PartHeader, { bytes }: ContentKey): Promise<string> {
  return new CompactEncrypt(part).setProtectedHeader({ alg: 'dir', enc: ENC, ...header }).encrypt(bytes);
}

/** Whether a header is that of the part that has to come next. */
export type Expected = (header: CompactJWEHeaderParameters) => boolean;

/** A file is cut off, was changed, or has parts of another one. `part` counts from 1. */
export class BrokenSeal extends Error {
  override readonly name = 'BrokenSeal';
  readonly part: number;

  constructor(message: string, part: number) {
    super(message);
    this.part = part;
  }
}

const Numbered = z.object({ seq: z.number(), last: z.boolean() });

/**
 * The parts of `lines` in their order, each whole before it is handed on. `from`: the number of the first one; `underWay`: they may end before
 * the last. Throws BrokenSeal.
 */
export async function* opened(
  lines: AsyncIterable<string>,
  { bytes }: ContentKey,
  isOurs: Expected,
  { from = 0, underWay = false }: { readonly from?: number; readonly underWay?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  let seq = from;
  let ended = false;
  for await (const line of lines) {
    const { plaintext, protectedHeader } = await compactDecrypt(line, bytes, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: [ENC],
    }).catch(() => {
      throw new BrokenSeal(`is cut off or was changed (part ${seq + 1})`, seq + 1);
    });
    const header = Numbered.safeParse(protectedHeader);
    if (ended || !header.success || header.data.seq !== seq || !isOurs(protectedHeader))
      throw new BrokenSeal(`was changed (part ${seq + 1})`, seq + 1);
    [seq, ended] = [seq + 1, header.data.last];
    yield plaintext;
  }
  if (!ended && !underWay) throw new BrokenSeal(`is cut off after part ${seq}`, seq);
}
