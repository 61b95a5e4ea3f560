// SPDX-License-Identifier: MIT
// The model of docs/concepts/scale.md as arithmetic: what a crossing takes, from how many take
// part and the shape of the tree. What it costs a party is measured at a small size and carried to
// any other; entries and messages are counted beforehand.

export interface TreeShape {
  /** Levels of controllers below the top one. */
  readonly depth: number;
  /** Controllers below each that has any. */
  readonly fanOut: number;
  /** All of them; they are at the lowest controllers, as many at each. */
  readonly parties: number;
}

/** Controllers of each level, the top first. */
export function controllersOf({ depth, fanOut }: TreeShape): readonly number[] {
  return Array.from({ length: depth + 1 }, (_, level) => fanOut ** level);
}

/** Kinds of messages between controllers that a crossing which goes well has, one a link each. */
export const crossingMessages = ["init", "initialised", "reached", "released"] as const;

/**
 * The most reports of a count between the controllers of `level` and those above, when everybody
 * comes within a flush: one at once, and one for each level below whose reports came after it.
 */
export function reportsMaxAt(shape: TreeShape, level: number): number {
  return messagesAt(shape, level) * (shape.depth - level + 2);
}

/** The same of a roster. */
export const rosterMessages = ["roster-opened", "roster-complete", "roster-crossed"] as const;

/** Messages by which a roster is told of between the controllers of `level` and those above. */
export function openingsAt(shape: TreeShape, level: number, treeReportMax: number): number {
  const links = messagesAt(shape, level);
  return links * Math.ceil(shape.parties / links / treeReportMax);
}

/** Messages of one kind between the controllers of `level` (from 1) and those above. */
export function messagesAt(shape: TreeShape, level: number): number {
  return controllersOf(shape)[level] ?? 0;
}

/** Entries for `commands` that come as fast as they can, of at most `entryCommandsMax` each. */
export function entriesFor(commands: number, entryCommandsMax: number): number {
  return Math.ceil(commands / entryCommandsMax);
}

/** By what a figure is missed: 0.1 for a tenth more or less. */
export function missedBy(predicted: number, measured: number): number {
  return predicted === measured ? 0 : Math.abs(predicted - measured) / measured;
}
