import * as z from 'zod';
import type { ZitadelCall } from '../ports/zitadel-api.ts';

/** A call that changes nothing. */
export interface ZitadelRead extends Pick<ZitadelCall, 'path' | 'body' | 'organization'> {
  readonly method: 'GET' | 'POST';
  /** The permission it needs, as Zitadel names it: `iam.policy.read`. */
  readonly right: string;
}

/** Zitadel's API as one account may read it: once by a check (`once.ts`), with patience by a command. */
export interface ZitadelReader {
  /** Base of the API, without a secret. */
  readonly url: string;
  /** Returns the answer's body as `shape` reads it. Throws the reader's own errors; no message has a secret. */
  call<T>(shape: z.ZodType<T>, read: ZitadelRead): Promise<T>;
  /** The reader's own error for an answer that cannot be used. */
  fault(message: string): Error;
}

/** What an error of any reader says of a refusal. */
const Refused = z.object({ status: z.number(), unknownRoute: z.boolean() });

function refusalIn(error: unknown): z.infer<typeof Refused> | undefined {
  return error instanceof Error ? Refused.safeParse(error).data : undefined;
}

/** `first`, else `second` where this release does not know the call of the first. */
export async function either<T>(first: () => Promise<T>, second: () => Promise<T>): Promise<T> {
  try {
    return await first();
  } catch (error) {
    if (refusalIn(error)?.unknownRoute === true) return second();
    throw error;
  }
}

/** What `work` returns; undefined where Zitadel answers that it has no such thing. */
export async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (refusalIn(error)?.status === 404) return undefined;
    throw error;
  }
}

interface ListCall extends Omit<ZitadelRead, 'method' | 'body'> {
  readonly body?: object;
  /** Of the answer; `result` where it is not named. */
  readonly member?: string;
}

/** Every entry of a list of the admin, management and user APIs. */
export function listed<T>(reader: ZitadelReader, entry: z.ZodType<T>, call: ListCall): Promise<readonly T[]> {
  return pages(reader, entry, call, 'query');
}

/** Every entry of a list of the newer services, Connect's among them. */
export function paginated<T>(
  reader: ZitadelReader,
  entry: z.ZodType<T>,
  call: ListCall,
): Promise<readonly T[]> {
  return pages(reader, entry, call, 'pagination');
}

/** What a server returns by default; an operator may let it refuse more. */
const PAGE = 100;
/** A list that goes on longer is none that this was made for, or its server ignores `offset`. */
const MOST_PAGES = 1_000;

async function pages<T>(
  reader: ZitadelReader,
  entry: z.ZodType<T>,
  { member = 'result', body, ...call }: ListCall,
  form: 'query' | 'pagination',
): Promise<readonly T[]> {
  const shape = pageOf(entry, member);
  const all: T[] = [];
  let offset = 0;
  for (let page = 0; page < MOST_PAGES; page++) {
    const paging = { [form]: { offset: String(offset), limit: PAGE, asc: true } };
    const read = await reader.call(shape, { ...call, method: 'POST', body: { ...paging, ...body } });
    all.push(...read.entries);
    const step = read.pagination?.appliedLimit ?? PAGE;
    offset += step;
    // What the account may not see is left out of a page, so that a short one need not be the last.
    const total = read.pagination?.totalResult ?? read.details?.totalResult;
    if (step < 1 || (total === undefined ? read.entries.length < step : offset >= total)) return all;
  }
  throw reader.fault(`${call.path}: more than ${MOST_PAGES * PAGE} entries`);
}

/** Of protobuf's 64 bits, in JSON a string; 0 is left out. */
const Count = z.coerce.number().optional();

function pageOf<T>(entry: z.ZodType<T>, member: string) {
  return z.preprocess(
    (body) => {
      const members = new Map<string, unknown>(
        typeof body === 'object' && body !== null ? Object.entries(body) : [],
      );
      const [details, pagination] = [members.get('details'), members.get('pagination')];
      return { details, pagination, entries: members.get(member) };
    },
    z.object({
      details: z.object({ totalResult: Count }).optional(),
      pagination: z.object({ totalResult: Count, appliedLimit: Count }).optional(),
      entries: z.array(entry).default([]),
    }),
  );
}
