import type { OpenFgaClient } from '@openfga/sdk';
import * as z from 'zod';
import type { Exchange } from '../../ports/runtime.ts';
import { tlsFaultOf } from '../../system-errors.ts';

/** What the SDK reads of a request that it makes. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data?: string;
}

type Transport = NonNullable<ConstructorParameters<typeof OpenFgaClient>[1]>;
/** The type asks for the whole of axios; the SDK calls it with a request, and makes no other use of it. */
const callable = z.custom<Transport>((it) => typeof it === 'function');

/**
 * The SDK's HTTP, in the place of axios (50 KiB): one exchange within `timeoutMs`. What comes out of it has the form that the
 * SDK makes its errors from; the request, which holds the API token, is no part of them.
 */
export function transport(exchange: Exchange, timeoutMs: number): Transport {
  const send = async ({ method, url, headers, data: body }: Request): Promise<object> => {
    const reply = await exchange({ method, url, headers, body, timeoutMs }).catch((error: unknown) => {
      throw new Failure(`${NO_ANSWER}${faultOf(error)}`);
    });
    const { status, headers: fields, text } = reply;
    const response = { status, headers: fields, data: parsed(text) };
    if (status < 200 || status > 299) throw new Failure('refused', response);
    if (response.data === undefined) throw new Failure(`${NO_ANSWER}not JSON`);
    return response;
  };
  return callable.parse(send);
}

class Failure extends Error {
  /** By this the SDK tells a failed exchange from a defect. */
  readonly isAxiosError = true;
  /** Absent where nothing came. */
  readonly response: object | undefined;

  constructor(fault: string, response?: object) {
    super(fault);
    this.response = response;
  }
}

/** What is no JSON comes from no OpenFGA, but from a server in front of it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const NO_ANSWER = 'no answer: ';
const SDK_PREFIX = `FGA Error: ${NO_ANSWER}`;

/** Only codes and sentences of ours: the runtime's own messages may quote what was sent. */
function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unreachable';
  if (error.name === 'TimeoutError') return 'timeout';
  if (error instanceof RangeError) return error.message;
  return tlsFaultOf(error) ?? codeOf(error) ?? codeOf(error.cause) ?? 'unreachable';
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^[A-Z][A-Z0-9_]+$/.test(error.code) ? error.code : undefined;
}

/** ` <fault>` where no answer came, else nothing: the SDK keeps of it the message alone. */
export function noAnswerOf({ name, message }: Error): string {
  return name === 'FgaError' && message.startsWith(SDK_PREFIX) ? ` ${message.slice(SDK_PREFIX.length)}` : '';
}
