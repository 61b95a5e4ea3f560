// SPDX-License-Identifier: MIT
// Goal: what docs/concepts/scale.md says of a crossing, in entries, answers and messages of every
// level, is what the core does. Method: the benchmark's own parts at a small size, where the counts
// of the model are exact, and what a party and an event cost within what the page says.
import { describe, expect, it } from "vitest";
import { entryCommandsMax, treeReportMax } from "../../../bench/scale/controller.ts";
import { playEvents } from "../../../bench/scale/events.ts";
import {
  crossingMessages,
  entriesFor,
  messagesAt,
  openingsAt,
  reportsMaxAt,
  rosterMessages,
} from "../../../bench/scale/figures.ts";
import { playFlat } from "../../../bench/scale/flat.ts";
import { playTree } from "../../../bench/scale/tree.ts";

describe("the model of scale", () => {
  it.each([1_024, 1_025, 5_000])("holds for %i parties of one server", (parties) => {
    const { entries, answers, bytes } = playFlat(parties);
    expect(answers).toBe(parties);
    expect(entries).toBe(2 + entriesFor(parties - 1, entryCommandsMax));
    expect(bytes / parties).toBeGreaterThan(100);
    expect(bytes / parties).toBeLessThan(130);
  });

  it.each([
    { depth: 1, fanOut: 7, parties: 700 },
    { depth: 3, fanOut: 3, parties: 2_700 },
    { depth: 1, fanOut: 2, parties: 2 * 1_025 },
  ])("holds for a tree of depth $depth and fan-out $fanOut", (shape) => {
    const found = playTree(shape);
    const each = shape.parties / shape.fanOut ** shape.depth;
    expect(found.released).toBe(shape.parties);
    const expected = new Map<string, number>();
    for (let level = 1; level <= shape.depth; level += 1) {
      const links = messagesAt(shape, level);
      for (const kind of crossingMessages) expected.set(`${kind}@${level}`, links);
      expected.set(`tree-received@${level}`, crossingMessages.length * links);
    }
    expect(new Map(found.messages)).toEqual(expected);
    expect(found.entriesTop).toBe(1 + 4 * shape.fanOut);
    expect(found.entriesLowest).toBe(4 + entriesFor(each, entryCommandsMax));
  });

  it.each([
    { depth: 1, fanOut: 7, parties: 70 },
    { depth: 1, fanOut: 2, parties: 2 * 1_025 },
    { depth: 3, fanOut: 3, parties: 2_700 },
  ])("holds for a count over a tree of depth $depth and fan-out $fanOut", (shape) => {
    const found = playTree(shape, "count");
    expect(found.released).toBe(shape.parties);
    for (let level = 1; level <= shape.depth; level += 1) {
      const links = messagesAt(shape, level);
      expect(found.messages.get(`count-ended@${level}`)).toBe(links);
      const reports = found.messages.get(`report@${level}`) ?? 0;
      expect(reports).toBeGreaterThanOrEqual(links);
      expect(reports).toBeLessThanOrEqual(reportsMaxAt(shape, level));
    }
  });

  it.each([
    { depth: 1, fanOut: 7, parties: 70 },
    { depth: 1, fanOut: 2, parties: 2 * 1_001 },
    { depth: 3, fanOut: 3, parties: 2_700 },
  ])("holds for a roster over a tree of depth $depth and fan-out $fanOut", (shape) => {
    const found = playTree(shape, "roster");
    expect(found.released).toBe(shape.parties);
    for (let level = 1; level <= shape.depth; level += 1) {
      const openings = openingsAt(shape, level, treeReportMax);
      expect(found.messages.get(`roster-open@${level}`)).toBe(openings);
      for (const kind of rosterMessages) {
        expect(found.messages.get(`${kind}@${level}`)).toBe(messagesAt(shape, level));
      }
    }
  });

  it("holds for planned events: each is sent out once, and costs what the page says", () => {
    const { fires, planBytes, reportBytes } = playEvents(2_000);
    expect(fires).toBe(2_000);
    for (const bytes of [planBytes, reportBytes]) {
      expect(bytes / 2_000).toBeGreaterThan(80);
      expect(bytes / 2_000).toBeLessThan(120);
    }
  });
});
