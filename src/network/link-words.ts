// SPDX-License-Identifier: MIT
// `muster link set`: words of people (`bandwidth=10Mb delay=20ms loss=1%`) as the ARGS of a MODIFY
// event. Pure. What has no unit is refused where two are usual, so that nobody gets a thousandth,
// or all for one in a hundred.

type Units = ReadonlyMap<string, number>;

const rates: Units = new Map([
  ["b", 0.001],
  ["kb", 1],
  ["mb", 1_000],
  ["gb", 1_000_000],
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

/** @returns ARGS, or a sentence that says what to write instead. */
export function formatLinkArgs(
  asked: readonly string[],
): { readonly args: string } | { readonly problem: string } {
  if (asked.length === 0) return { problem: "say what to set, e.g. bandwidth=10Mb delay=20ms" };
  const args: string[] = [];
  for (const word of asked) {
    const read = readWord(word);
    if ("problem" in read) return read;
    args.push(read.arg);
  }
  return { args: args.join(" ") };
}

function readWord(word: string): { readonly arg: string } | { readonly problem: string } {
  const [name = "", text = "", ...more] = word.split("=");
  if (text === "" || more.length > 0) return { problem: `'${word}' is not NAME=VALUE` };
  if (name === "queue") return readQueue(text);
  const known = words.get(name);
  if (known === undefined) {
    return { problem: `links have ${[...words.keys()].join(", ")} and queue, not '${name}'` };
  }
  if (name === "bandwidth" && text === "unlimited") return { arg: "BANDWIDTH=0" };
  const [, digits = "", unit = ""] = /^(\d+\.?\d*|\.\d+)(.*)$/.exec(text) ?? [];
  const isNothing = digits !== "" && unit === "" && Number(digits) === 0;
  const named = known.units.get(unit.toLowerCase().replace(/(?:ps|\/s)$/, ""));
  const factor = isNothing ? 1 : named;
  if (digits === "" || factor === undefined) {
    const units = [...known.units.keys()].filter((one) => one !== "").join(", ");
    return { problem: `${name} is a number with one of ${units} behind it, not '${text}'` };
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

/** `50` or `50packets`, `9000bytes`. */
function readQueue(text: string): { readonly arg: string } | { readonly problem: string } {
  const [, count, unit] = /^(\d+)(|packets|bytes)$/.exec(text) ?? [];
  if (count === undefined) {
    return { problem: `queue is a number of packets or bytes, 50 or 9000bytes, not '${text}'` };
  }
  return { arg: `QUEUE-IN-BYTES=${unit === "bytes" ? 1 : 0} LIMIT=${count}` };
}
