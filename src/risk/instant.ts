/** An instant as the database writes it: ISO text in UTC with six digits, so that text order is time order. */
export type Instant = string;

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})(\d{3})Z$/;

/** `at` moved by whole milliseconds; its microseconds stay. */
export function addMilliseconds(at: Instant, milliseconds: number): Instant {
  const { millisecond, micros } = split(at);
  return new Date(millisecond + milliseconds).toISOString().slice(0, -1) + micros + 'Z';
}

/** From `earlier` to `later` in microseconds, which a double holds exactly for 285 years. */
export function microsecondsBetween(earlier: Instant, later: Instant): number {
  const a = split(earlier);
  const b = split(later);
  return (b.millisecond - a.millisecond) * 1000 + Number.parseInt(b.micros, 10) - Number.parseInt(a.micros, 10);
}

/** True when `at` lies more than `milliseconds` before `now`. */
export function isOlderThan(at: Instant, milliseconds: number, now: Instant): boolean {
  return microsecondsBetween(at, now) > milliseconds * 1000;
}

function split(at: Instant): { millisecond: number; micros: string } {
  const parts = FORM.exec(at);
  if (parts === null) throw new RangeError(`not an instant: ${at}`);
  const [, seconds = '', milli = '', micros = ''] = parts;
  return { millisecond: Date.parse(`${seconds}.${milli}Z`), micros };
}
