export type Payload = Readonly<Record<string, unknown>>;

export interface StoredEvent {
  /** In the order of commits, over all users. */
  readonly position: number;
  /** From 1, within the user. */
  readonly sequence: number;
  readonly userId: string;
  readonly type: string;
  readonly payload: Payload | undefined;
  readonly creationDate: Date;
  readonly editor: string;
  readonly organization: string;
}

export type NewEvent = Pick<StoredEvent, 'userId' | 'type' | 'editor' | 'organization'> & {
  readonly payload?: Payload;
};

export interface EventQuery {
  readonly limit?: number | undefined;
  readonly asc?: boolean | undefined;
  readonly sequence?: number | undefined;
  readonly editorUserId?: string | undefined;
  readonly aggregateId?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly aggregateTypes?: readonly string[] | undefined;
  readonly resourceOwner?: string | undefined;
  /** Ascending: only later events; descending: only earlier ones. */
  readonly from?: Date | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

export const MAX_EVENTS = 1_000;

export class EventStore {
  readonly #events: StoredEvent[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  append(event: NewEvent): StoredEvent {
    const stored = {
      payload: undefined,
      ...event,
      position: this.#events.length + 1,
      sequence: this.of(event.userId).length + 1,
      creationDate: new Date(this.#now()),
    };
    this.#events.push(stored);
    return stored;
  }

  of(userId: string): readonly StoredEvent[] {
    return this.#events.filter((event) => event.userId === userId);
  }

  search(query: EventQuery): readonly StoredEvent[] {
    const asked = query.limit ?? 0;
    const limit = asked === 0 || asked > MAX_EVENTS ? MAX_EVENTS : asked;
    const matching = this.#events.filter((event) => matches(event, query));
    return (query.asc === true ? matching : matching.reverse()).slice(0, limit);
  }
}

/** An absent or empty criterion matches everything, as in protobuf. Times are compared without their own moment. */
function matches(event: StoredEvent, query: EventQuery): boolean {
  const { eventTypes = [], aggregateTypes = [] } = query;
  const after = query.asc === true ? query.from : undefined;
  const before = query.asc === true ? undefined : query.from;
  return (
    event.sequence > (query.sequence ?? 0) &&
    isOr(query.editorUserId, event.editor) &&
    isOr(query.aggregateId, event.userId) &&
    isOr(query.resourceOwner, event.organization) &&
    (eventTypes.length === 0 || eventTypes.includes(event.type)) &&
    (aggregateTypes.length === 0 || aggregateTypes.includes('user')) &&
    [after, query.since].every((time) => time === undefined || event.creationDate > time) &&
    [before, query.until].every((time) => time === undefined || event.creationDate < time)
  );
}

function isOr(wanted: string | undefined, actual: string): boolean {
  return wanted === undefined || wanted === '' || wanted === actual;
}
