// SPDX-License-Identifier: MIT
// Goal: the first of the heap is the soonest (H1), whatever comes, moves and goes, and what has
// gone may still be told to have moved. Method: against a list that is searched, with seeded
// choices.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type HeapItem, SegmentHeap } from "../../../src/network/shaper/segment-heap.ts";

test("the first is the soonest, whatever comes, moves and goes", () => {
  const step = fc.record({
    what: fc.constantFrom("add", "move", "remove", "move one that has gone"),
    which: fc.nat(20),
    nextUs: fc.nat(50),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const heap = new SegmentHeap<HeapItem>();
      const [there, gone]: [HeapItem[], HeapItem[]] = [[], []];
      for (const { what, which, nextUs } of steps) {
        const item = there[which % Math.max(1, there.length)];
        const left = gone[which % Math.max(1, gone.length)];
        if (what === "add") {
          const fresh = { nextUs, place: 0 };
          there.push(fresh);
          heap.add(fresh);
        } else if (what === "move" && item !== undefined) {
          item.nextUs = nextUs;
          heap.moved(item);
        } else if (what === "remove" && item !== undefined) {
          there.splice(there.indexOf(item), 1);
          gone.push(item);
          heap.remove(item);
        } else if (left !== undefined) {
          left.nextUs = nextUs;
          heap.moved(left);
        }
        const soonest = there.length === 0 ? undefined : Math.min(...there.map((it) => it.nextUs));
        expect(heap.first?.nextUs).toBe(soonest);
        expect(heap.first === undefined || there.includes(heap.first)).toBe(true);
      }
    }),
    { seed: 7, numRuns: 300 },
  );
});
