import type { EventStore, NewEvent, StoredEvent } from './events.ts';

const EDITOR = '350000000000000001';
/** Larger than a number holds exactly. */
const FIRST_ID = 350_000_000_000_900_000n;

/** Organisations, as far as events tell of them. Removing one raises no event for the people in it. */
export class Organizations {
  readonly #store: EventStore;
  readonly #publish: (event: StoredEvent) => void;
  /** Names of the living, by id. */
  readonly #names = new Map<string, string>();
  #own = 'stand-in';
  #made = 0n;

  constructor(store: EventStore, publish: (event: StoredEvent) => void) {
    this.#store = store;
    this.#publish = publish;
  }

  create(id = String(FIRST_ID + (this.#made += 1n)), name = id): StoredEvent {
    this.#names.set(id, name);
    return this.#push(id, 'org.added');
  }

  /** Of the stand-in's own organisation, too. */
  nameOf(id: string): string {
    return this.#names.get(id) ?? this.#own;
  }

  rename(id: string, name: string): void {
    if (this.#names.has(id)) this.#names.set(id, name);
    else this.#own = name;
    this.#push(id, 'org.changed', { name });
  }

  /** What happened to one that has no command of its own here. */
  happened(id: string, type: string, payload: NonNullable<NewEvent['payload']>): void {
    this.#push(id, type, payload);
  }

  /** Ids and names of those that were made here and not removed. */
  get all(): ReadonlyMap<string, string> {
    return this.#names;
  }

  /** As things stand now. */
  copy(): Pick<Organizations, 'all'> {
    return { all: new Map(this.#names) };
  }

  deactivate(id: string): StoredEvent {
    return this.#push(id, 'org.deactivated', {});
  }

  activate(id: string): StoredEvent {
    return this.#push(id, 'org.reactivated', {});
  }

  remove(id: string): StoredEvent {
    this.#names.delete(id);
    return this.#push(id, 'org.removed');
  }

  #push(id: string, type: string, payload?: NonNullable<NewEvent['payload']>): StoredEvent {
    const event: NewEvent = { aggregateType: 'org', aggregateId: id, organization: id, editor: EDITOR, type };
    const [stored] = this.#store.push([{ ...event, ...(payload && { payload }) }]);
    if (stored === undefined) throw new Error('an event was pushed and is not there');
    this.#publish(stored);
    return stored;
  }
}

export function isRemoved(store: EventStore, id: string): boolean {
  return store.of(id, 'org').some(({ type }) => type === 'org.removed');
}
