declare const proof: unique symbol;

/**
 * A value that only one step can make: the next step requires it by type, so that omitting a step does not compile.
 * Each step keeps its maker private to its file.
 */
export type Proof<Value, Step extends string> = Value & { readonly [proof]: Step };

/** For the one step that issues the proof; a call elsewhere is a forgery. */
export function prove<Step extends string>() {
  return <Value>(value: Value): Proof<Value, Step> => value as Proof<Value, Step>;
}
