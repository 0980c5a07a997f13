import { beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker, type CircuitBreaker } from '../../shared/circuit-breaker.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

let clock: ManualClock;
let breaker: CircuitBreaker;
beforeEach(() => {
  clock = manualClock();
  breaker = circuitBreaker(clock);
});

function fail(times: number): void {
  for (let n = 0; n < times; n++) {
    breaker.admits();
    breaker.failed();
  }
}

describe('a circuit', () => {
  it('stays closed up to four failures in a row', () => {
    fail(4);
    expect(breaker.state()).toBe('closed');
    expect(breaker.admits()).toBe(true);
  });

  it('counts anew after a success', () => {
    fail(4);
    breaker.succeeded();
    fail(4);
    expect(breaker.state()).toBe('closed');
  });

  it('opens at the fifth, for five seconds', () => {
    fail(5);
    expect([breaker.state(), breaker.admits()]).toEqual(['open', false]);
    clock.advance(4.999);
    expect([breaker.state(), breaker.admits()]).toEqual(['open', false]);
    clock.advance(0.001);
    expect(breaker.state()).toBe('half-open');
  });

  it('half-open lets exactly one try through', () => {
    fail(5);
    clock.advance(5);
    expect([breaker.admits(), breaker.admits(), breaker.admits()]).toEqual([true, false, false]);
  });

  it('closes when the try succeeds, rests again when it fails', () => {
    fail(5);
    clock.advance(5);
    breaker.admits();
    breaker.failed();
    expect([breaker.state(), breaker.admits()]).toEqual(['open', false]);
    clock.advance(5);
    breaker.admits();
    breaker.succeeded();
    expect([breaker.state(), breaker.admits()]).toEqual(['closed', true]);
  });

  it('a try whose caller went away leaves the next one its turn', () => {
    fail(5);
    clock.advance(5);
    breaker.admits();
    breaker.released();
    expect(breaker.admits()).toBe(true);
  });
});
