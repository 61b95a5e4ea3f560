// SPDX-License-Identifier: MIT
// Quantities as people write them, in YAML files and behind `muster link set`: a number and its
// unit. A number alone is one where it can be only that: 0 of a time, a share below one. Read and
// printed by their decimal digits, so that what is printed reads back as exactly the same value.

/** A value, or what is wrong with the text. */
export type Quantity =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly message: string; readonly hint: string };

const number = "(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)";

/** Factors to microseconds, longest first: the order in which parts of a duration may stand. */
const durationUnits: readonly (readonly [unit: string, us: number])[] = [
  ["h", 3_600_000_000],
  ["m", 60_000_000],
  ["s", 1_000_000],
  ["ms", 1_000],
  ["us", 1],
];

/** Those that are printed. */
const bandwidthUnits: readonly (readonly [unit: string, bps: number])[] = [
  ["Gbps", 1_000_000_000],
  ["Mbps", 1_000_000],
  ["kbps", 1_000],
  ["bps", 1],
];

/** Those and what NS files have, in any case: only that of the `b` makes another unit of it. */
const bandwidthUnit = /^([GMk]?)b(?:ps|\/s)?$/i;

const durationPart = `(${number})(h|ms|us|µs|m|s)`;

/** What the JSON Schema says about each kind of quantity. */
export const quantityPatterns: Readonly<Record<"duration" | "bandwidth" | "percentage", string>> = {
  duration: `^(?:0(?:\\.0*)?|(?:${number}(?:h|ms|us|µs|m|s))+)$`,
  bandwidth: `^(?:${number}[GgMmKk]?b(?:ps|/s)?|any|unlimited)$`,
  percentage: `^(?:(?:100(?:\\.0*)?|[0-9]{1,2}(?:\\.[0-9]*)?|\\.[0-9]+)%|0?\\.[0-9]+|0\\.?)$`,
};

/** Most that a queue holds. */
export const queueLengthPattern = "^[1-9][0-9]{0,9}(?:packets|bytes)$";
/** A mean length of a queue. */
export const queueMeanPattern: string = `^${number}packets$`;

function refuse(message: string, hint: string): Quantity {
  return { ok: false, message, hint };
}

/** Outputs of ours show a blank before the unit; who copies from them is told what is too much. */
function mindBlanks(text: string, read: (text: string) => Quantity): Quantity {
  const quantity = read(text);
  const joined = text.replace(/\s+/g, "");
  if (quantity.ok || joined === text || !read(joined).ok) return quantity;
  return refuse(quantity.message, `Write it without a blank: ${joined}.`);
}

/** Whole microseconds of `10ms`, `1.5s`, `1h30m`. */
export function parseDuration(text: string): Quantity {
  return mindBlanks(text, readDuration);
}

function readDuration(text: string): Quantity {
  const hint = "Write a number and its unit: 250us, 10ms, 2.5s, 1m30s, 2h.";
  if (/^0(?:\.0*)?$/.test(text)) return { ok: true, value: 0 };
  if (/^[0-9.]+$/.test(text)) return refuse(`the time "${text}" has no unit`, hint);
  if (!new RegExp(quantityPatterns.duration).test(text)) {
    return refuse(`"${text}" is not a time`, hint);
  }
  let total = 0;
  let last = -1;
  for (const [, amount = "", unit = ""] of text.matchAll(new RegExp(durationPart, "g"))) {
    const at = durationUnits.findIndex(([name]) => name === (unit === "µs" ? "us" : unit));
    if (at <= last) return refuse(`the units of "${text}" are not in order, each once`, hint);
    last = at;
    const us = scaled(amount, durationUnits[at]?.[1] ?? 1);
    if (!Number.isInteger(us)) {
      return refuse(`"${text}" is not a whole number of microseconds`, "The least step is 1us.");
    }
    total += us;
  }
  if (!Number.isSafeInteger(total)) return refuse(`the time "${text}" is too long`, hint);
  return { ok: true, value: total };
}

/** `10ms` for 10000: the largest unit that needs no more than three digits after the point. */
export function formatDuration(us: number): string {
  for (const [unit, factor] of durationUnits) {
    if (unit === "h" || unit === "m" ? us > 0 && us % factor === 0 : us % factor === 0) {
      return `${us / factor}${unit}`;
    }
    if (unit !== "h" && unit !== "m" && us > factor && (us * 1000) % factor === 0) {
      return `${decimal(us, factor)}${unit}`;
    }
  }
  return `${us}us`;
}

/** Bits a second of `100Mbps`, `100Mb` or `100Mb/s`; `any` is 0, whatever the medium carries. */
export function parseBandwidth(text: string): Quantity {
  return mindBlanks(text, readBandwidth);
}

function readBandwidth(text: string): Quantity {
  const hint = "Write a number and its unit: 56kbps, 100Mbps, 1Gbps, or any.";
  if (text === "any" || text === "unlimited") return { ok: true, value: 0 };
  const match = new RegExp(`^(${number})([A-Za-z/]*)$`).exec(text);
  if (match === null) return refuse(`"${text}" is not a bandwidth`, hint);
  const [, amount = "", unit = ""] = match;
  if (unit === "") return refuse(`the bandwidth "${text}" has no unit`, hint);
  const [, prefix] = unit.includes("B") ? [] : (bandwidthUnit.exec(unit) ?? []);
  const word = `${prefix}bps`.toLowerCase();
  const found = bandwidthUnits.find(([name]) => name.toLowerCase() === word);
  if (found === undefined) {
    const near = nearBandwidthUnit(unit);
    const meant = near === undefined ? hint : `Did you mean ${amount}${near} (bits a second)?`;
    return refuse(`"${unit}" is not a unit of bandwidth`, meant);
  }
  const bps = scaled(amount, found[1]);
  if (!Number.isSafeInteger(bps)) {
    return refuse(`"${text}" is not a whole number of bits a second`, hint);
  }
  if (bps === 0) return refuse("a bandwidth of 0 carries nothing", 'For no limit write "any".');
  return { ok: true, value: bps };
}

function nearBandwidthUnit(unit: string): string | undefined {
  const first = unit[0]?.toLowerCase() ?? "";
  const isBits = /^(?:[kmg]?b(?:its?|ytes?)?(?:ps|\/s)?|[kmg])$/i.test(unit);
  if (!isBits) return undefined;
  return bandwidthUnits.find(([name]) => name.toLowerCase().startsWith(first))?.[0];
}

/** `100Mbps` for 100000000. */
export function formatBandwidth(bps: number): string {
  if (bps === 0) return "any";
  for (const [unit, factor] of bandwidthUnits) {
    if (bps >= factor && (bps * 1000) % factor === 0) return `${decimal(bps, factor)}${unit}`;
  }
  return `${bps}bps`;
}

/** A probability from `1.5%`, or `0.015`; 1 alone could be all, and one in a hundred. */
export function parsePercentage(text: string): Quantity {
  return mindBlanks(text, readPercentage);
}

function readPercentage(text: string): Quantity {
  if (new RegExp(quantityPatterns.percentage).test(text)) {
    return { ok: true, value: Number(text.endsWith("%") ? `${text.slice(0, -1)}e-2` : text) };
  }
  if (/^1(?:\.0*)?$/.test(text)) {
    return refuse(`"${text}" has no unit, and could be all or 1%`, `Write ${text}% or 100%.`);
  }
  const isPercent = /^[0-9]+(?:\.[0-9]+)?$/.test(text) && Number(text) <= 100;
  if (isPercent) return refuse(`"${text}" has no unit`, `Write ${text}%.`);
  const hint = "Write a percentage with its sign: 1%, 0.05%.";
  return refuse(`"${text}" is not a percentage between 0% and 100%`, hint);
}

/** `1.5%` for 0.015, by moving the decimal point: the value that is read back is the same. */
export function formatPercentage(probability: number): string {
  return `${plain(probability, 2)}%`;
}

/** The digits of `value` times 10^shift without an exponent. */
export function plain(value: number, shift: number): string {
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  const point = whole.length + Number(exponent) + shift;
  const padded =
    point <= 0
      ? "0".repeat(1 - point) + digits
      : digits.padEnd(Math.max(point, digits.length), "0");
  const at = point <= 0 ? 1 : point;
  const left = padded.slice(0, at).replace(/^0+(?=.)/, "");
  const right = padded.slice(at).replace(/0+$/, "");
  return right === "" ? left : `${left}.${right}`;
}

/** `amount` times `factor` without the rounding noise of binary fractions. */
function scaled(amount: string, factor: number): number {
  const [whole = "0", fraction = ""] = amount.split(".");
  const digits = fraction.replace(/0+$/, "");
  if (digits === "") return Number(whole) * factor;
  // Nine digits times the largest factor would not be exact; no unit needs more than ten.
  if (digits.length > 10) return Number.NaN;
  const scale = Number(`1e${digits.length}`);
  const part = Number(digits) * factor;
  if (!Number.isSafeInteger(part)) return Number.NaN;
  return part % scale === 0 ? Number(whole) * factor + part / scale : Number.NaN;
}

/**
 * `value / factor` with at most three digits after the point, which the caller knows to be enough.
 */
function decimal(value: number, factor: number): string {
  const thousandths = (value * 1000) / factor;
  return plain(thousandths, -3);
}
