import type { EventStore, NewEvent, StoredEvent } from './events.ts';

const EDITOR = '350000000000000001';
const FIRST_ID = 350_000_000_000_900_000;

/** Organisations, as far as events tell of them. Removing one raises no event for the people in it. */
export class Organizations {
  readonly #store: EventStore;
  readonly #publish: (event: StoredEvent) => void;
  #made = 0;

  constructor(store: EventStore, publish: (event: StoredEvent) => void) {
    this.#store = store;
    this.#publish = publish;
  }

  create(id = String(FIRST_ID + (this.#made += 1))): StoredEvent {
    return this.#push(id, 'org.added');
  }

  deactivate(id: string): StoredEvent {
    return this.#push(id, 'org.deactivated', {});
  }

  activate(id: string): StoredEvent {
    return this.#push(id, 'org.reactivated', {});
  }

  remove(id: string): StoredEvent {
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
