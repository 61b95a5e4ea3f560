// SPDX-License-Identifier: MIT
// Words and numbers as people read them in the progress, the summary and the reports. Pure.
import type { BarrierKind } from "../../core/effect.ts";

/** Names listed before the rest becomes a number. */
export const namesShownMax = 10;

/** `node1, node2 and 3 more`; entries that hold a comma themselves are parted by semicolons. */
export function joinNames(names: readonly string[], max: number = namesShownMax): string {
  const separator = names.some((name) => name.includes(", ")) ? "; " : ", ";
  const shown = names.slice(0, max);
  const rest = names.length - shown.length;
  return rest === 0 ? shown.join(separator) : `${shown.join(separator)} and ${rest} more`;
}

/**
 * What is said of the missing or the waiting, as people read it: `anonymous, from node1` is
 * `node1`, `2 anonymous, from 2 of a, b, c` is `2 of a, b, c`, `3 more, anonymous` is `3 more`.
 */
export function joinParties(sentences: readonly string[], max: number = namesShownMax): string {
  const plain = sentences.map((sentence) => {
    const [, many, from] = /^(?:\d+ )?anonymous, from (\d+ of )?(.*)$/s.exec(sentence) ?? [];
    if (from === undefined) return sentence.replace(/^(\d+ more), anonymous$/, "$1");
    return many === undefined ? from : many + joinNames(from.split(", "), max);
  });
  return joinNames(plain, max);
}

/**
 * Those of a barrier's arrivals that count. Who left again, or was lost, was not released, and is
 * missing; when nobody was (a run cut short, a barrier that all have given up), all count.
 */
export function countedArrivals<T extends { readonly releasedUs: number | null }>(
  participants: readonly T[],
): readonly T[] {
  const released = participants.filter(({ releasedUs }) => releasedUs !== null);
  return released.length === 0 ? participants : released;
}

/**
 * A party as it is named among those who came: where the members have names it is its own, as the
 * missing are named there, and else its node.
 */
export function arrivedName(
  kind: BarrierKind,
  { name, node }: { readonly name: string; readonly node: string | null },
): string {
  const hasOwn = kind === "roster" || kind === "quorum";
  return hasOwn && !name.startsWith("anonymous, ") ? name : (node ?? name);
}

/**
 * The nodes that a sentence about who is missing names: `node1`, `anonymous, from node2`,
 * `2 anonymous, from 2 of node3, node4, node5`.
 */
export function nodesNamed(sentence: string, isNode: (name: string) => boolean): string[] {
  if (isNode(sentence)) return [sentence];
  const from = /\bfrom (?:\d+ of )?(.*)$/s.exec(sentence)?.[1] ?? "";
  return [...new Set(from.split(/[\s,;()]+/))].filter(isNode);
}

/** Where the programs of a node print to, below the directory of results. */
export function outputDirectory(node: string): string {
  return `nodes/${node}/local/logs/`;
}

/** `1 program`, `2 programs`; thousands are parted by commas. */
export function plural(count: number, singular: string, several: string = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : several}`;
}

/** `9999`, `12,345`: four digits are read at a glance. */
export function formatCount(count: number): string {
  return count < 10_000 ? String(count) : String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A duration with about three digits: `0.4 ms`, `12.3 ms`, `1.203 s`, `2 min 05 s`. */
export function formatDuration(us: number): string {
  if (us < 0) return `-${formatDuration(-us)}`;
  if (us < 1_000) return `${us} us`;
  if (us < 99_950) return `${(us / 1_000).toFixed(1)} ms`;
  if (us < 1_000_000) return `${Math.round(us / 1_000)} ms`;
  if (us < 9_999_500) return `${(us / 1_000_000).toFixed(3)} s`;
  if (us < 59_950_000) return `${(us / 1_000_000).toFixed(1)} s`;
  const seconds = Math.round(us / 1_000_000);
  const rest = String(seconds % 60).padStart(2, "0");
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${rest} s`;
  const minutes = String(Math.floor((seconds % 3_600) / 60)).padStart(2, "0");
  return `${Math.floor(seconds / 3_600)} h ${minutes} min`;
}

/** An instant of the run in seconds: `+1.203s`, `-0.050s`; with 6 digits to the microsecond. */
export function formatInstant(us: number, digits: 3 | 6 = 3): string {
  const stepUs = digits === 3 ? 1_000 : 1;
  const text = ((Math.round(Math.abs(us) / stepUs) * stepUs) / 1_000_000).toFixed(digits);
  return `${us < 0 && Number(text) > 0 ? "-" : "+"}${text}s`;
}

/**
 * What a piece of text means; how that looks is for the terminal or the page to decide. A `command`
 * is there to be copied and never broken.
 */
export type Style = "strong" | "dim" | "good" | "bad" | "warning" | "command";

/** One line of output: plain text and styled pieces. */
export type Line = readonly (string | { readonly text: string; readonly style: Style })[];

/** A styled piece of a line. */
export function styled(style: Style, text: string): { text: string; style: Style } {
  return { text, style };
}

/** One word of a POSIX shell. */
export function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * `by 2`; of a state `by 7 signals; 6 waited`: whoever signals last finds it reached, and waits for
 * nobody.
 */
export function crossedBy(kind: BarrierKind, expected: number, waited: number): string {
  if (kind !== "state") return `by ${formatCount(waited)}`;
  return `by ${plural(expected, "signal")}; ${formatCount(waited)} waited`;
}
