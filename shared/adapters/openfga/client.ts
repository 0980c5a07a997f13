import { CredentialsMethod, FgaApiError, FgaApiValidationError, FgaError, OpenFgaClient } from '@openfga/sdk';
import * as z from 'zod';
import type { OpenFgaConfig } from '../../configuration/stores.ts';
import { InputRefused, RelationsRefused, RelationsUnavailable } from '../../errors.ts';
import { pause, type Exchange } from '../../ports/runtime.ts';
import { tlsFaultOf } from '../../system-errors.ts';

/** Milliseconds for one exchange, its answer read to the end. */
const EXCHANGE_MS = 3_000;
/** Only a call that fails within this time is retried once, so that it is over after some 3.4 s in all. */
const QUICKLY_MS = 250;
const PAUSE_MS = 50;

/**
 * The SDK's HTTP is injected: its own is axios, whose time-out restarts with every byte. Its retry sleeps for Retry-After
 * unbounded, so retries are ours too.
 */
export function openFgaClient(config: OpenFgaConfig, exchange: Exchange): OpenFgaClient {
  return new OpenFgaClient(
    {
      apiUrl: config.url,
      storeId: config.storeId,
      ...(config.modelId !== null && { authorizationModelId: config.modelId }),
      ...(config.apiToken !== null && {
        credentials: { method: CredentialsMethod.ApiToken, config: { token: config.apiToken } },
      }),
      retryParams: { maxRetry: 0 },
    },
    transport(exchange, EXCHANGE_MS),
  );
}

/**
 * Bounded in time, including one quick retry: a client waits for most of these calls, so then a clear 503.
 * Messages of the SDK's errors quote the server's: only kinds and codes are passed on. The server's reason for a refusal names
 * tuples, so it is the cause: for the sender, never in a log.
 */
export async function guarded<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await twice(call);
  } catch (error) {
    throw new (kindOf(error))(describe(error), { cause: refusalOf(error) });
  }
}

function kindOf(error: unknown): typeof RelationsUnavailable {
  if (isOfInput(error)) return InputRefused;
  return isRefusal(error) ? RelationsRefused : RelationsUnavailable;
}

/** 422 and 429 throttle. A status without an OpenFGA code is not OpenFGA's: a proxy answers 404 while a server moves. */
const REFUSALS: readonly unknown[] = [400, 401, 403, 404];

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !('statusCode' in error && 'apiErrorCode' in error)) return false;
  return REFUSALS.includes(error.statusCode) && typeof error.apiErrorCode === 'string';
}

async function twice<T>(call: () => Promise<T>): Promise<T> {
  const quick = AbortSignal.timeout(QUICKLY_MS);
  try {
    return await call();
  } catch (error) {
    if (!mayPass(error) || quick.aborted) throw error;
  }
  await pause(PAUSE_MS);
  return call();
}

/** A failed connection, or a server fault without Retry-After, which is never waited for here. */
function mayPass(error: unknown): boolean {
  if (error instanceof FgaApiError) {
    const { statusCode = 0, responseHeader } = error;
    return (statusCode === 429 || statusCode >= 500) && retryAfterOf(responseHeader) === undefined;
  }
  return error instanceof FgaError && error.name === 'FgaError';
}

function retryAfterOf(headers: unknown): unknown {
  return typeof headers === 'object' && headers !== null && 'retry-after' in headers
    ? headers['retry-after']
    : undefined;
}

/** Refusals of the configuration, not of the input: they end once it is corrected. */
const OF_CONFIGURATION: readonly string[] = [
  'authorization_model_not_found',
  'latest_authorization_model_not_found',
];

function isOfInput(error: unknown): boolean {
  if (!(error instanceof FgaApiValidationError)) return isConditionConflict(error);
  return error.statusCode === 400 && !OF_CONFIGURATION.includes(error.apiErrorCode);
}

/** The other reason for a 409 is a race of two writers, which a retry resolves. */
function isConditionConflict(error: unknown): boolean {
  return (
    error instanceof FgaApiError &&
    error.statusCode === 409 &&
    JSON.stringify(error.responseData ?? '').includes('already exists with a different condition')
  );
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'OpenFGA failed';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? ` ${error.statusCode}` : '';
  const code =
    'apiErrorCode' in error && typeof error.apiErrorCode === 'string' ? ` ${error.apiErrorCode}` : '';
  const conflict = isConditionConflict(error) ? ': a tuple is there under another condition' : '';
  return `OpenFGA failed: ${error.name}${status}${code}${noAnswerOf(error)}${conflict}`;
}

function refusalOf(error: unknown): Error | undefined {
  if (!(error instanceof FgaApiValidationError)) return undefined;
  const { apiErrorMessage } = error;
  return apiErrorMessage === undefined ? undefined : new Error(apiErrorMessage);
}

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
function transport(exchange: Exchange, timeoutMs: number): Transport {
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
function noAnswerOf({ name, message }: Error): string {
  return name === 'FgaError' && message.startsWith(SDK_PREFIX) ? ` ${message.slice(SDK_PREFIX.length)}` : '';
}
