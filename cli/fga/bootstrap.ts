import type { AuthorizationModel, AuthorizationStores } from '../../shared/ports/authorization-models.ts';
import { Failure } from '../failure.ts';

export interface Wanted {
  /** Of a store to find or to make, when no id is given. */
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

/** What is there, and what is missing to the wanted state. */
export interface Survey {
  readonly storeId: string | undefined;
  /** Set when the latest model means what is wanted. */
  readonly modelId: string | undefined;
  /** Empty when nothing is missing. */
  readonly drift: readonly string[];
}

/** Changes nothing. */
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

/** Brings store and model to the wanted state; does nothing where they are. */
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

/** Where a file was written or by which tool changes nothing of what a model means. */
const NOT_MEANING = new Set(['id', 'source_info', 'module']);
/** Empty objects that say something: `{this: {}}` is the relation's own tuples, `wildcard` everyone. */
const MARKERS = new Set(['this', 'wildcard']);

/** Text that two models share exactly when they mean the same: order, ids and a server's empty defaults play no part. */
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

/** `a but not b` and the arguments of a type are the places where the order counts. */
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
