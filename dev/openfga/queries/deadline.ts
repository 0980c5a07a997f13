/** How long one question may take, as on the real server: some graphs have more paths than anyone can follow. */
const LIMIT_MS = 3000;

export class Deadline {
  readonly #end = performance.now() + LIMIT_MS;

  get passed(): boolean {
    return performance.now() > this.#end;
  }
}
