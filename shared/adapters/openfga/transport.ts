import type { OpenFgaClient } from '@openfga/sdk';
import * as z from 'zod';
import type { Exchange } from '../../ports/runtime.ts';
import { tlsFaultOf } from '../../system-errors.ts';

/** The SDK's request. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data?: string;
}

type Transport = NonNullable<ConstructorParameters<typeof OpenFgaClient>[1]>;
/** The type is the whole of axios; the SDK only calls it with a request. */
const callable = z.custom<Transport>((it) => typeof it === 'function');

/**
 * The SDK's HTTP, in place of axios (50 KiB): one exchange within `timeoutMs`. Its results have the form that the SDK makes its
 * errors from; the request, which holds the API token, is no part of them.
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
  /** By this the SDK distinguishes a failed exchange from a defect. */
  readonly isAxiosError = true;
  /** Absent without an answer. */
  readonly response: object | undefined;

  constructor(fault: string, response?: object) {
    super(fault);
    this.response = response;
  }
}

/** A body that is no JSON is not OpenFGA's, but that of a server in front of it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const NO_ANSWER = 'no answer: ';
const SDK_PREFIX = `FGA Error: ${NO_ANSWER}`;

/** Only codes and our own texts: the runtime's messages may quote the request. */
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

/** ` <fault>` for a missing answer, else empty: the SDK keeps only the message. */
export function noAnswerOf({ name, message }: Error): string {
  return name === 'FgaError' && message.startsWith(SDK_PREFIX) ? ` ${message.slice(SDK_PREFIX.length)}` : '';
}
