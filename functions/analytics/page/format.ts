const NUMBER = new Intl.NumberFormat('en');
const PERCENT = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** For what is not there, in a table. */
export const NONE = '–';

export function number(value: number): string {
  return NUMBER.format(value);
}

/** One decimal, rounded down: 100 % is everybody. */
export function percent(value: number | null): string {
  return value === null ? NONE : `${PERCENT.format(Math.floor(value * 10 + 1e-9) / 10)} %`;
}

/** Null without a whole. */
export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : (100 * part) / whole;
}

/** A day of UTC, from an ISO time or day. */
export function day(iso: string | null): string {
  return iso === null ? NONE : iso.slice(0, 10);
}

export function minute(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

export function plural(count: number, one: string, many: string): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** A round number at or above the largest value, for the end of an axis. */
export function axisEnd(largest: number): number {
  if (largest <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(largest));
  return ([1, 2, 4, 5, 10].find((step) => step * power >= largest) ?? 10) * power;
}

/** A name as part of a path, or the id where the name has what a path does not take as it is written. */
export function pathPart(name: string, id: string): string {
  return /^[a-z\d][\w.-]*$/i.test(name) ? name : id;
}
