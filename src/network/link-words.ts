// SPDX-License-Identifier: MIT
// `muster link set`: words of people (`bandwidth=10Mb delay=20ms loss=1%`) as the ARGS of a MODIFY
// event. Pure. Values are the quantities of YAML files, so that what is written there can be said
// here.
//
// Of a LAN the words are meant from node to node, as in a file: `PIPE=path` says so, and whoever
// performs the event knows which links are LANs. Those of one member are its own.
import {
  parseBandwidth,
  parseDuration,
  parsePercentage,
  plain,
  type Quantity,
} from "../experiment/quantities.ts";

interface Word {
  readonly key: string;
  readonly parse: (text: string) => Quantity;
  /** Decimal places from the quantity to what events have: b/s to kb/s, microseconds to ms. */
  readonly shift: number;
}

const words: ReadonlyMap<string, Word> = new Map([
  ["bandwidth", { key: "BANDWIDTH", parse: parseBandwidth, shift: -3 }],
  ["delay", { key: "DELAY", parse: parseDuration, shift: -3 }],
  ["jitter", { key: "JITTER", parse: parseDuration, shift: -3 }],
  ["loss", { key: "PLR", parse: parsePercentage, shift: 0 }],
  ["duplicate", { key: "DUPLICATE", parse: parsePercentage, shift: 0 }],
  ["reorder", { key: "REORDER", parse: parsePercentage, shift: 0 }],
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
  const { key, parse, shift } = known;
  if (name === "bandwidth" && Number.parseFloat(text) === 0) {
    return { problem: "a bandwidth of 0 carries nothing; say unlimited, or muster link down" };
  }
  const read = parse(text);
  if (read.ok) return { arg: `${key}=${plain(read.value, shift)}` };
  const hint = read.hint.charAt(0).toLowerCase() + read.hint.slice(1).replace(/\.$/, "");
  return { problem: `${name}: ${read.message}; ${hint}` };
}

/** `50` or `50packets`, `9000bytes`. */
function readQueue(text: string): { readonly arg: string } | { readonly problem: string } {
  const [, count, unit] = /^(\d+)(|packets|bytes)$/.exec(text) ?? [];
  if (count === undefined) {
    return { problem: `queue is a number of packets or bytes, 50 or 9000bytes, not '${text}'` };
  }
  return { arg: `QUEUE-IN-BYTES=${unit === "bytes" ? 1 : 0} LIMIT=${count}` };
}
