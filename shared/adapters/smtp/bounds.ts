/** Milliseconds. Each bounds one wait, `attempt` a whole mail. */
export interface SmtpBounds {
  /** Until connected, encrypted and signed in. */
  readonly connect: number;
  /** For one answer. */
  readonly answer: number;
  readonly attempt: number;
}
