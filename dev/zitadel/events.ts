export type Payload = Readonly<Record<string, unknown>>;

export interface StoredEvent {
  /** In the order of commits, over all users. */
  readonly position: number;
  /** From 1, within what it happened to. */
  readonly sequence: number;
  readonly aggregateType: 'user' | 'org' | 'instance';
  readonly aggregateId: string;
  readonly type: string;
  readonly payload: Payload | undefined;
  /** With microseconds, as Postgres keeps them; events of one push share it. */
  readonly creationDate: string;
  readonly editor: string;
  readonly organization: string;
}

export type NewEvent = Pick<
  StoredEvent,
  'aggregateType' | 'aggregateId' | 'type' | 'editor' | 'organization'
> & {
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
  readonly from?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

const MAX_EVENTS = 1_000;

export class EventStore {
  readonly #events: StoredEvent[] = [];
  /** By type and id of what they happened to. */
  readonly #byAggregate = new Map<string, StoredEvent[]>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Events that happen at once. */
  push(events: readonly NewEvent[]): readonly StoredEvent[] {
    const now = this.#now();
    const micros = String(this.#events.length % 1_000).padStart(3, '0');
    const creationDate = new Date(now).toISOString().replace('Z', `${micros}Z`);
    return events.map((event) => {
      const stored = {
        payload: undefined,
        ...event,
        position: this.#events.length + 1,
        sequence: this.of(event.aggregateId, event.aggregateType).length + 1,
        creationDate,
      };
      this.#events.push(stored);
      const key = `${stored.aggregateType} ${stored.aggregateId}`;
      const earlier = this.#byAggregate.get(key);
      if (earlier === undefined) this.#byAggregate.set(key, [stored]);
      else earlier.push(stored);
      return stored;
    });
  }

  of(id: string, type: StoredEvent['aggregateType'] = 'user'): readonly StoredEvent[] {
    return this.#byAggregate.get(`${type} ${id}`) ?? [];
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
    isOr(query.aggregateId, event.aggregateId) &&
    isOr(query.resourceOwner, event.organization) &&
    (eventTypes.length === 0 || eventTypes.includes(event.type)) &&
    (aggregateTypes.length === 0 || aggregateTypes.includes(event.aggregateType)) &&
    [after, query.since].every((time) => time === undefined || micros(event.creationDate) > micros(time)) &&
    [before, query.until].every((time) => time === undefined || micros(event.creationDate) < micros(time))
  );
}

/** Since the epoch; a Date keeps no more than milliseconds. */
function micros(date: string): number {
  const [, fraction = ''] = /\.(\d+)/.exec(date) ?? [];
  return Date.parse(date) * 1_000 + Number(fraction.padEnd(6, '0').slice(3, 6));
}

function isOr(wanted: string | undefined, actual: string): boolean {
  return wanted === undefined || wanted === '' || wanted === actual;
}
