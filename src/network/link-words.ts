// SPDX-License-Identifier: MIT
// `muster link set`: words of people (`bandwidth=10Mb delay=20ms loss=1%`) as the ARGS of a MODIFY
// event. Pure. What has no unit is refused where two are usual, so that nobody gets a thousandth,
// or all for one in a hundred; so are bytes a second, which would be taken for an eighth.
//
// Of a LAN the words are meant from node to node, as in a file: `PIPE=path` says so, and whoever
// performs the event knows which links are LANs. Those of one member are its own.

type Units = ReadonlyMap<string, number>;

const rates: Units = new Map([
  ["b", 0.001],
  ["kb", 1],
  ["Mb", 1_000],
  ["Gb", 1_000_000],
]);
const times: Units = new Map([
  ["us", 0.001],
  ["ms", 1],
  ["s", 1_000],
]);
const shares: Units = new Map([
  ["", 1],
  ["%", 0.01],
]);

const words: ReadonlyMap<string, { readonly key: string; readonly units: Units }> = new Map([
  ["bandwidth", { key: "BANDWIDTH", units: rates }],
  ["delay", { key: "DELAY", units: times }],
  ["jitter", { key: "JITTER", units: times }],
  ["loss", { key: "PLR", units: shares }],
  ["duplicate", { key: "DUPLICATE", units: shares }],
  ["reorder", { key: "REORDER", units: shares }],
]);

/** What a LAN shares between the two members that a packet passes. */
const sharedWords: ReadonlySet<string> = new Set(
  [...words.keys()].filter((word) => word !== "bandwidth"),
);

/**
 * @param ofWhole of a link or LAN, and not of one end of it
 * @returns ARGS, or a sentence that says what to write instead
 */
export function formatLinkArgs(
  asked: readonly string[],
  ofWhole: boolean,
): { readonly args: string } | { readonly problem: string } {
  if (asked.length === 0) return { problem: "say what to set, e.g. bandwidth=10Mb delay=20ms" };
  const args: string[] = [];
  for (const word of asked) {
    const read = readWord(word);
    if ("problem" in read) return read;
    args.push(read.arg);
  }
  const isShared = asked.some((word) => sharedWords.has(word.split("=")[0] ?? ""));
  return { args: [...(ofWhole && isShared ? ["PIPE=path"] : []), ...args].join(" ") };
}

function readWord(word: string): { readonly arg: string } | { readonly problem: string } {
  const [name = "", text = "", ...more] = word.split("=");
  if (text === "" || more.length > 0) return { problem: `'${word}' is not NAME=VALUE` };
  if (name === "queue") return readQueue(text);
  const known = words.get(name);
  if (known === undefined) {
    return { problem: `links have ${[...words.keys()].join(", ")} and queue, not '${name}'` };
  }
  if (name === "bandwidth" && /^(?:unlimited|any)$/.test(text)) return { arg: "BANDWIDTH=0" };
  const [, digits = "", unit = ""] = /^(\d+\.?\d*|\.\d+)(.*)$/.exec(text) ?? [];
  const isNothing = digits !== "" && unit === "" && Number(digits) === 0;
  const named = known.units.get(known.units === rates ? rateUnit(unit) : unit.toLowerCase());
  const factor = isNothing ? 1 : named;
  if (digits === "" || factor === undefined) {
    const units = [...known.units.keys()].filter((one) => one !== "").join(", ");
    const meant = known.units === rates && digits !== "" ? meantRate(digits, unit) : "";
    return { problem: `${name} is a number with one of ${units} behind it, not '${text}'${meant}` };
  }
  const value = Number(digits) * factor;
  if (known.units === shares && (value > 1 || (unit === "" && Number(digits) === 1))) {
    const meant = unit === "" ? `write ${name}=${digits}%` : "a share is at most 100%";
    const all = value === 1 ? ` or ${name}=100%, ${digits} could be both` : "";
    return { problem: `${name}=${text}: ${meant}${all}` };
  }
  if (name === "bandwidth" && value === 0) {
    return { problem: "a bandwidth of 0 carries nothing; say unlimited, or muster link down" };
  }
  return { arg: `${known.key}=${value}` };
}

/** `mbps` and `Mb/s` are `Mb`; `MB`, which would be bytes, is no unit of links. */
function rateUnit(unit: string): string {
  const [, prefix] = /^([kmg]?)b(?:ps|\/s)?$/i.exec(unit) ?? [];
  if (prefix === undefined || unit.includes("B")) return unit;
  return `${prefix.toLowerCase() === "k" ? "k" : prefix.toUpperCase()}b`;
}

function meantRate(digits: string, unit: string): string {
  const [, letter] = /^([kmgb])(?:b?(?:it)?s?(?:ps|\/s)?|ytes?)$/i.exec(unit) ?? [];
  if (letter === undefined) return "";
  const near = letter.toLowerCase() === "b" ? "b" : rateUnit(`${letter.toLowerCase()}b`);
  return `; did you mean ${digits}${near} (bits a second)?`;
}

/** `50` or `50packets`, `9000bytes`. */
function readQueue(text: string): { readonly arg: string } | { readonly problem: string } {
  const [, count, unit] = /^(\d+)(|packets|bytes)$/.exec(text) ?? [];
  if (count === undefined) {
    return { problem: `queue is a number of packets or bytes, 50 or 9000bytes, not '${text}'` };
  }
  return { arg: `QUEUE-IN-BYTES=${unit === "bytes" ? 1 : 0} LIMIT=${count}` };
}
