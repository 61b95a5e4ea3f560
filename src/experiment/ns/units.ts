// SPDX-License-Identifier: MIT
// Quantities as experiment files write them. [EMULAB-NS 5] Each reader returns a value or the
// reason why there is none; nothing here knows about diagnostics or limits of a site.

import { plain } from "../quantities.ts";
import { closest } from "../suggest.ts";

/** A value, or what is wrong with the text. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint: string };

function refuse<T>(message: string, hint: string): Read<T> {
  return { ok: false, message, hint };
}

const float = "[0-9]+\\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\\.[0-9]+(?:[eE][+-]?[0-9]+)?";
const quantity = new RegExp(`^\\s*(${float})([A-Za-z]*)\\s*$`);

const perKilobit: ReadonlyMap<string, number> = new Map([
  ...["", "b", "bps"].map((unit) => [unit, -1e3] as const),
  ...["k", "kb", "kbps", "K", "Kb", "Kbps"].map((unit) => [unit, 1] as const),
  ...["M", "Mb", "Mbps"].map((unit) => [unit, 1e3] as const),
  ...["G", "Gb", "Gbps"].map((unit) => [unit, 1e6] as const),
]);

/**
 * Kilobits per second, truncated; `*` is 0 (whatever the medium carries).
 * @param compat truncates the noise of binary fractions, too, as the old system does
 */
export function parseBandwidth(text: string, compat = false): Read<number> {
  if (text.trim() === "*") return { ok: true, value: 0 };
  const match = quantity.exec(text);
  if (match === null) {
    return refuse(`"${text}" is not a bandwidth`, "Write a number and a unit, such as 100Mb.");
  }
  const factor = perKilobit.get(match[2] ?? "");
  if (factor === undefined) {
    const near = nearUnit(match, perKilobit.keys());
    const hint = `${near}Units are b, kb, Mb and Gb (bits a second).`;
    return refuse(`Unknown bandwidth unit ${match[2]}.`, hint);
  }
  return { ok: true, value: Math.trunc(scaled(match[1] ?? "0", factor, compat)) };
}

/** The quantity with the unit that was most likely meant. */
function nearUnit([, number, unit = ""]: RegExpExecArray, units: Iterable<string>): string {
  const known = [...units];
  const other = known.find((one) => one.toLowerCase() === unit.toLowerCase());
  const near = other ?? closest(unit, known);
  return near === undefined || near === "" ? "" : `Did you mean ${number}${near}? `;
}

/**
 * The product (or, for a negative factor, the quotient) without the rounding noise of binary
 * fractions: 2.007 Mb is 2007 kb, which a double makes 2006.99.
 */
function scaled(number: string, factor: number, compat: boolean): number {
  const value = factor < 0 ? Number(number) / -factor : Number(number) * factor;
  if (compat) return value;
  const nearest = Math.round(value);
  return Math.abs(value - nearest) <= Math.abs(value) * 1e-12 ? nearest : value;
}

const milliseconds: ReadonlyMap<string, number> = new Map([
  ["", 1e3],
  ["s", 1e3],
  ["ms", 1],
  ["us", -1e3],
  ["ns", -1e6],
]);

/** The old system reads `ns` a thousand times too long, and does not know `us`. */
const oldMilliseconds: ReadonlyMap<string, number> = new Map([
  ["", 1e3],
  ["s", 1e3],
  ["ms", 1],
  ["ns", -1e3],
]);

/**
 * Milliseconds. A bare number counts as seconds.
 * @param compat whole milliseconds only, truncated, and the old meaning of `ns`
 */
export function parseDelay(text: string, compat = false): Read<number> {
  const match = quantity.exec(text);
  if (match === null) {
    return refuse(`"${text}" is not a delay`, "Write a number and a unit, such as 10ms.");
  }
  const factor = (compat ? oldMilliseconds : milliseconds).get(match[2] ?? "");
  if (factor === undefined) {
    const near = nearUnit(match, milliseconds.keys());
    const hint = `${near}Units are s, ms, us and ns; a bare number is seconds.`;
    return refuse(`Unknown delay unit ${match[2]}.`, hint);
  }
  const value = scaled(match[1] ?? "0", factor, compat);
  // Whole microseconds are as fine as any shaper is.
  return { ok: true, value: compat ? Math.trunc(value) : Math.round(value * 1000) / 1000 };
}

/** A loss probability: its text is kept, as the tables show it. */
export function parseLoss(text: string): Read<number> {
  const value = Number(text);
  const wellFormed = /^[0-9]+(?:\.[0-9]+)?$/.test(text) || /^\.[0-9]+$/.test(text);
  if (!wellFormed || value > 1 || (value !== 0 && value < 0.000005)) {
    const percent = Number(/^([0-9]+(?:\.[0-9]+)?)%$/.exec(text)?.[1] ?? Number.NaN);
    const hint = !(percent <= 100)
      ? "A loss is 0, or a probability between 0.000005 and 1."
      : `A loss is a probability: write ${plain(percent, -2)} for ${text}.`;
    return refuse(`"${text}" is not a valid loss rate`, hint);
  }
  return { ok: true, value };
}

/** A time after the start, as text for the tables and in microseconds. */
export interface RelativeTime {
  readonly text: string;
  readonly us: number;
}

/** Reads `90`, `.5`, `1h20m3s`; no signs, exponents or fractions of h, m and s. */
export function parseRelativeTime(text: string): Read<RelativeTime> {
  if (text === "") return { ok: true, value: { text: "0", us: 0 } };
  if (/^(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$/.test(text)) {
    const us = microseconds(text);
    if (!Number.isSafeInteger(us))
      return refuse(`Invalid time spec: ${text}`, "The time is too long.");
    return { ok: true, value: { text, us } };
  }
  const match = /^(?:([0-9]{1,7})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,10})s)?$/.exec(text);
  if (match === null) {
    const hint = "Write seconds (90 or 0.5) or hours, minutes and seconds (1h20m3s).";
    return refuse(`Invalid time spec: ${text}`, hint);
  }
  const [, hours = "0", minutes = "0", seconds = "0"] = match;
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return { ok: true, value: { text: `${total}`, us: total * 1_000_000 } };
}

/** Decimal seconds to whole microseconds, rounded half up, by digits rather than by a double. */
function microseconds(text: string): number {
  const [whole = "", fraction = ""] = text.split(".");
  const digits = fraction.padEnd(7, "0");
  const up = (digits[6] ?? "0") >= "5" ? 1 : 0;
  return Number(whole === "" ? "0" : whole) * 1_000_000 + Number(digits.slice(0, 6)) + up;
}

/** A dotted quad by its digits alone; octets above 255 are refused unless `lenient`. */
export function isAddress(text: string, lenient: boolean): boolean {
  const match = /^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$/.exec(text);
  return match !== null && (lenient || match.slice(1).every((octet) => Number(octet) <= 255));
}
