/**
 * What resolving a question can come to. `cycle` is a denial that met itself on the way, which an exclusion must not
 * mistake for a plain one; `too_deep` is no answer at all.
 */
export type Outcome = 'allowed' | 'denied' | 'cycle' | 'too_deep';

type Operand = () => Outcome;

/** Any grant decides; without one, a branch that was not followed to its end leaves the answer open. */
export function anyOf(operands: Iterable<Operand>): Outcome {
  let result: Outcome = 'denied';
  for (const operand of operands) {
    const outcome = operand();
    if (outcome === 'allowed') return outcome;
    if (outcome === 'too_deep' || (outcome === 'cycle' && result === 'denied')) result = outcome;
  }
  return result;
}

/** Any denial decides, even beside a branch that went too deep. */
export function allOf(operands: Iterable<Operand>): Outcome {
  let result: Outcome = 'allowed';
  for (const operand of operands) {
    const outcome = operand();
    if (outcome === 'denied' || outcome === 'cycle') return outcome;
    if (outcome === 'too_deep') result = outcome;
  }
  return result;
}

/** A cycle on either side denies: nothing granted by chasing its own tail may count, nor be taken back by it. */
export function exclude(base: Operand, subtract: Operand): Outcome {
  const granted = base();
  if (granted === 'denied' || granted === 'cycle') return granted;
  const revoked = subtract();
  if (revoked === 'allowed') return 'denied';
  if (revoked === 'cycle') return 'cycle';
  return granted === 'too_deep' || revoked === 'too_deep' ? 'too_deep' : 'allowed';
}
