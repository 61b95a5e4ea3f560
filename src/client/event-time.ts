// SPDX-License-Identifier: MIT
// The time of an event as a command line gives it. [EMULAB-EVENTS 3] Pure: what time it is and what
// the local calendar says are handed in.

/** An instant in whole seconds since 1970 and microseconds within them, 0 to 999999. */
export interface EventTime {
  readonly seconds: number;
  readonly microseconds: number;
}

/** A moment as a wall clock shows it; month 1 to 12. */
export interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** The time zone of whoever wrote the time. */
export interface LocalCalendar {
  toLocal(seconds: number): LocalTime;
  toSeconds(local: LocalTime): number;
}

const microsecondsPerSecond = 1_000_000;
/** A time later than this, 68 years from now, is a slip; the field on the wire ends in 2038. */
const secondsMax = 2_147_483_647;

/**
 * Reads `now`, `+N[.F]` (seconds from now) or `[[[[yy]mm]dd]HH]MMss`, local, whose missing parts
 * are those of now. A time that is past is not refused: the event fires at once.
 *
 * @returns undefined for anything else.
 */
export function parseEventTime(
  text: string,
  now: EventTime,
  calendar: LocalCalendar,
): EventTime | undefined {
  if (text === "now") return now;
  if (text.startsWith("+")) return parseRelative(text.slice(1), now);
  if (!/^(?:[0-9]{2}){2,6}$/.test(text)) return undefined;
  const local = parseAbsolute(text, calendar.toLocal(now.seconds));
  return local === undefined ? undefined : { seconds: calendar.toSeconds(local), microseconds: 0 };
}

/** Digits are counted, not rounded, so that the microseconds are never negative. */
function parseRelative(text: string, now: EventTime): EventTime | undefined {
  const match = /^([0-9]*)(?:\.([0-9]*))?$/.exec(text);
  const [, whole = "", fraction = ""] = match ?? [];
  if (match === null || whole.length + fraction.length === 0) return undefined;
  const microseconds = now.microseconds + Number(fraction.slice(0, 6).padEnd(6, "0"));
  const carry = Math.floor(microseconds / microsecondsPerSecond);
  const seconds = now.seconds + Number(whole) + carry;
  if (seconds > secondsMax) return undefined;
  return { seconds, microseconds: microseconds - carry * microsecondsPerSecond };
}

/** Pairs of digits, the seconds last. */
function parseAbsolute(text: string, now: LocalTime): LocalTime | undefined {
  const pairs = (text.match(/../g) ?? []).map(Number).reverse();
  const [second = 0, minute = 0, hour = now.hour, day = now.day, month = now.month, yy] = pairs;
  // As the C library reads two digits of a year.
  const year = yy === undefined ? now.year : yy + (yy < 69 ? 2000 : 1900);
  const isPossible =
    second <= 59 && minute <= 59 && hour <= 23 && day >= 1 && month >= 1 && month <= 12;
  if (!isPossible || day > daysIn(year, month)) return undefined;
  return { year, month, day, hour, minute, second };
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}
