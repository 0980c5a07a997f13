import type { ZitadelApi } from '../ports/zitadel-api.ts';
import type { ZitadelReader } from './reader.ts';

/** Zitadel refused the call, or did not answer. The message names the address, never the token. */
export class ZitadelFault extends Error {
  override readonly name = 'ZitadelFault';
  /** Undefined without an answer of Zitadel itself. */
  readonly status: number | undefined;
  /** Of the refusal in Zitadel's source, such as AUTH-7fs1e; empty where there is none. */
  readonly id: string;
  readonly unknownRoute: boolean;

  constructor(
    message: string,
    refused?: { readonly status: number; readonly id: string; readonly unknownRoute: boolean },
  ) {
    super(message);
    this.status = refused?.status;
    this.id = refused?.id ?? '';
    this.unknownRoute = refused?.unknownRoute ?? false;
  }
}

const TIMEOUT_MS = 5_000;

/** Reads each thing once, without another attempt: what looks again by itself, or has to say how it is now. Throws ZitadelFault. */
export function readsOnce({ url, api }: { readonly url: string; readonly api: ZitadelApi }): ZitadelReader {
  return {
    url,
    async call(shape, { method, path, body, organization }) {
      const sent = method === 'POST' ? { body: body ?? {} } : {};
      const answer = await api({ method, path, organization, timeoutMs: TIMEOUT_MS, ...sent });
      if (answer.outcome === 'refused') throw new ZitadelFault(`${url}${path}: ${answer.reason}`, answer);
      if (answer.outcome !== 'ok') throw new ZitadelFault(`${url}${path}: ${answer.reason}`);
      const read = shape.safeParse(answer.body);
      if (!read.success) throw new ZitadelFault(`${url}${path}: not the shape of Zitadel's API`);
      return read.data;
    },
    fault: (message) => new ZitadelFault(`${url}${message}`),
  };
}
