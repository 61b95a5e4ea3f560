// SPDX-License-Identifier: MIT
// T1 rows come out in (due, id) order, T2 a cleared row never comes out, and the digest is that of
// the live rows. Method: random settings and clearings against a sorted list and a table that was
// made anew. Catches: a heap that compares by due alone, a `clear` that leaves the row alive, or
// in the digest.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TimerRow } from "../../../src/core/timers.ts";
import { Timers } from "../../../src/core/timers.ts";

const purpose = { kind: "agenda", scope: "s", item: 1 } as const;

/** Everything that is due, in the order in which it comes out. */
function takeAll(timers: Timers, nowUs: number): readonly number[] {
  const ids: number[] = [];
  for (let row = timers.takeDue(nowUs); row; row = timers.takeDue(nowUs)) ids.push(row.id);
  return ids;
}

/** What a table says that has never been asked before. */
function digestOfCopy(timers: Timers): string {
  const copy = new Timers();
  copy.load(timers.dump());
  return copy.digest().toString();
}

describe("Timers", () => {
  it("T1 T2 takeDue() gives live rows in (due, id) order when set, cleared and taken at random", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ set: fc.integer({ min: 0, max: 20 }) }) },
      { weight: 3, arbitrary: fc.record({ clear: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ take: fc.integer({ min: 0, max: 25 }) }) },
      { weight: 1, arbitrary: fc.record({ digest: fc.constant(true) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
        const timers = new Timers();
        let rows: TimerRow[] = [];
        let lastId = 0;
        for (const action of steps) {
          if ("set" in action) {
            lastId += 1;
            expect(timers.set(action.set, purpose)).toBe(lastId);
            rows.push({ id: lastId, dueUs: action.set, purpose });
          } else if ("clear" in action) {
            const id = (action.clear % (lastId + 1)) + 1;
            timers.clear(id);
            rows = rows.filter((row) => row.id !== id);
          } else if ("digest" in action) {
            expect(timers.digest().toString()).toBe(digestOfCopy(timers));
          } else {
            const due = rows.filter(({ dueUs }) => dueUs <= action.take);
            due.sort((a, b) => a.dueUs - b.dueUs || a.id - b.id);
            rows = rows.filter(({ dueUs }) => dueUs > action.take);
            expect(takeAll(timers, action.take)).toEqual(due.map(({ id }) => id));
          }
          const dues = rows.map(({ dueUs }) => dueUs);
          expect(timers.nextDueUs()).toBe(rows.length === 0 ? undefined : Math.min(...dues));
        }
        expect(timers.dump().rows).toHaveLength(rows.length);
      }),
    );
  });

  it("T1 equal deadlines come out in order of setting", () => {
    const timers = new Timers();
    for (let index = 0; index < 100; index += 1) timers.set(7, purpose);
    expect(takeAll(timers, 6)).toEqual([]);
    expect(takeAll(timers, 7)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  it("T2 clear() does nothing when the row is gone, and does not pile up rows", () => {
    const timers = new Timers();
    for (let round = 0; round < 10_000; round += 1) {
      const id = timers.set(1e12, purpose);
      timers.clear(id);
      timers.clear(id);
    }
    expect(timers.nextDueUs()).toBeUndefined();
    expect(timers.dump()).toEqual({ lastId: 10_000, rows: [] });
  });

  it("load() continues the ids of a dump", () => {
    const timers = new Timers();
    timers.set(5, purpose);
    timers.set(3, purpose);
    const copy = new Timers();
    copy.load(timers.dump());
    expect(copy.set(4, purpose)).toBe(3);
    expect(takeAll(copy, 9)).toEqual([2, 3, 1]);
    expect(() => copy.load(timers.dump())).toThrow("empty table");
  });

  it("clearAll() leaves nothing in the digest", () => {
    const timers = new Timers();
    timers.set(5, purpose);
    expect(timers.digest().toString()).not.toBe(new Timers().digest().toString());
    timers.clearAll();
    expect(timers.digest().toString()).toBe(new Timers().digest().toString());
  });
});
