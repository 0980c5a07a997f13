declare const proof: unique symbol;

/**
 * A value that only one step can make: the next step asks for it by type, so that leaving a step out does not compile.
 * Each step keeps its own maker private to its file.
 */
export type Proof<Value, Step extends string> = Value & { readonly [proof]: Step };

/** For the one step that makes the proof; called anywhere else it would be a forgery. */
export function prove<Step extends string>() {
  return <Value>(value: Value): Proof<Value, Step> => value as Proof<Value, Step>;
}
