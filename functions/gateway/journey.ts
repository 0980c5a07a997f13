import type { Refusal } from '../../shared/errors.ts';
import type { Principal } from './authenticate/principal.ts';
import type { Grant } from './authorize.ts';
import type { Admission } from './limit.ts';
import type { Match } from './rules/types.ts';

/** What is known of a request so far, and how long each step took. One per request; read once, by the log. */
export class Journey {
  match: Match | undefined;
  principal: Principal | undefined;
  admission: Admission | undefined;
  grant: Grant | undefined;
  refusal: Refusal | undefined;
  matchMs = 0;
  authenticateMs = 0;
  limitMs = 0;
  authorizeMs = 0;
  upstreamMs = 0;
  readonly startedMs: number;
  private markMs: number;
  /** The step under way: when it fails, the time since the one before is its own. */
  private step: 'matchMs' | 'authenticateMs' | 'limitMs' | 'authorizeMs' | 'upstreamMs' = 'matchMs';

  constructor() {
    this.startedMs = this.markMs = performance.now();
  }

  matched(match: Match): void {
    this.match = match;
    this.matchMs = this.lap();
    this.step = 'authenticateMs';
  }

  authenticated(principal: Principal | undefined): void {
    this.principal = principal;
    this.authenticateMs = this.lap();
    this.step = 'limitMs';
  }

  limited(admission: Admission): void {
    this.admission = admission;
    this.limitMs = this.lap();
    this.step = 'authorizeMs';
  }

  authorized(grant: Grant): void {
    this.grant = grant;
    this.authorizeMs = this.lap();
    this.step = 'upstreamMs';
  }

  /** The upstream's answer began, or its absence was certain. */
  answered(): void {
    this.upstreamMs = this.lap();
  }

  refused(refusal: Refusal): void {
    this.refusal = refusal;
    this[this.step] += this.lap();
  }

  totalMs(): number {
    return performance.now() - this.startedMs;
  }

  private lap(): number {
    const before = this.markMs;
    this.markMs = performance.now();
    return this.markMs - before;
  }
}
