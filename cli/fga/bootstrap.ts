import type { AuthorizationModel, AuthorizationStores } from '../../shared/ports/authorization-models.ts';
import { Failure } from '../failure.ts';

export interface Wanted {
  /** Name of the store to find or create, when no id is given. */
  readonly storeName: string;
  readonly storeId: string | undefined;
  readonly model: AuthorizationModel;
}

export interface Bootstrapped {
  readonly storeId: string;
  readonly modelId: string;
  readonly madeStore: boolean;
  readonly wroteModel: boolean;
}

/** What exists, and what differs from the wanted state. */
export interface Survey {
  readonly storeId: string | undefined;
  /** Set when the latest model is equivalent to the wanted one. */
  readonly modelId: string | undefined;
  /** Empty when nothing differs. */
  readonly drift: readonly string[];
}

/** Read-only. */
export async function survey(stores: AuthorizationStores, wanted: Wanted): Promise<Survey> {
  const storeId = await findStore(stores, wanted);
  if (storeId === undefined)
    return { storeId, modelId: undefined, drift: [`there is no store named ${wanted.storeName}`] };
  const latest = await stores.models(storeId).latest();
  if (latest === undefined) return { storeId, modelId: undefined, drift: [`store ${storeId} has no model`] };
  if (means(latest.model, wanted.model)) return { storeId, modelId: latest.id, drift: [] };
  const differs = `the latest model of store ${storeId} (${latest.id}) is not the one of the file`;
  return { storeId, modelId: undefined, drift: [differs] };
}

/** Brings store and model to the wanted state; idempotent. */
export async function bootstrap(stores: AuthorizationStores, wanted: Wanted): Promise<Bootstrapped> {
  const { storeId: existing, modelId: kept } = await survey(stores, wanted);
  const storeId = existing ?? (await stores.create(wanted.storeName));
  return {
    storeId,
    modelId: kept ?? (await stores.models(storeId).write(wanted.model)),
    madeStore: existing === undefined,
    wroteModel: kept === undefined,
  };
}

async function findStore(stores: AuthorizationStores, wanted: Wanted): Promise<string | undefined> {
  const { storeId, storeName } = wanted;
  if (storeId !== undefined) {
    if (await stores.exists(storeId)) return storeId;
    throw new Failure(`OPENFGA_STORE_ID names no store of this server: ${storeId}`);
  }
  const [first, ...others] = await stores.named(storeName);
  if (others.length > 0) {
    const found = [first, ...others].join(', ');
    throw new Failure(
      `${others.length + 1} stores are named ${storeName}: set OPENFGA_STORE_ID to one of ${found}`,
    );
  }
  return first;
}

function means(a: AuthorizationModel, b: AuthorizationModel): boolean {
  return canonicalModel(a) === canonicalModel(b);
}

/** Provenance of a file, without bearing on the model's meaning. */
const NOT_MEANING = new Set(['id', 'source_info', 'module']);
/** Empty objects with a meaning: `{this: {}}` is the relation's own tuples, `wildcard` all users. */
const MARKERS = new Set(['this', 'wildcard']);

/** Equal exactly for equivalent models: order, ids and a server's empty defaults play no part. */
export function canonicalModel(model: AuthorizationModel): string {
  return JSON.stringify(canonical(model));
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return sorted(value.map(canonical));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([name]) => !NOT_MEANING.has(name))
    .map(([name, member]): [string, unknown] => [name, inOrder(name, member)])
    .filter(([name, member]) => MARKERS.has(name) || !isEmpty(member));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Order counts only in `a but not b` and in the arguments of a type. */
function inOrder(name: string, member: unknown): unknown {
  const ordered = name === 'generic_types' && Array.isArray(member);
  return ordered ? member.map(canonical) : canonical(member);
}

function sorted(values: readonly unknown[]): unknown[] {
  const key = (value: unknown): string => JSON.stringify(value);
  return values.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

function isEmpty(value: unknown): boolean {
  if (value === '' || value === null || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
