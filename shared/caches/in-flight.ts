/** Makes callers with the same key wait for one load, or lets each load alone. */
export type Collapse = <T>(load: (key: string) => Promise<T>) => (key: string) => Promise<T>;

/**
 * One load per key at a time. For Node only: on Workers one request may not await another's promise
 * ("Cannot perform I/O on behalf of a different request").
 */
export const shareInFlight: Collapse = <T>(load: (key: string) => Promise<T>) => {
  const inFlight = new Map<string, Promise<T>>();
  return (key) => {
    const running = inFlight.get(key);
    if (running !== undefined) return running;
    const started = load(key).finally(() => inFlight.delete(key));
    inFlight.set(key, started);
    return started;
  };
};

/** The Workers counterpart of `shareInFlight`. */
export const eachAlone: Collapse = (load) => load;
