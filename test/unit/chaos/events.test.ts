// SPDX-License-Identifier: MIT
// Goal: the checker of `npm run chaos` finds each kind of broken promise of events, and nothing
// where they are kept; and `--bare` tells what a stream has not kept. Method: small histories in
// which all is well, and copies with one thing changed each.
import { describe, expect, it } from "vitest";
import { judge, type Witness } from "../../../chaos/bare/judge.ts";
import { checkEvents } from "../../../chaos/checker/events.ts";
import { HistoryReader } from "../../../chaos/checker/operations.ts";
import type { ViolationKind } from "../../../chaos/checker/violation.ts";
import type { Answer, HistoryLine } from "../../../chaos/history.ts";

const wallUs = 1_000_000_000;
/** The instant that all events are asked for. */
const atUs = 5_000_000;

function event(id: number, text: string, code: string, answer: Answer): HistoryLine[] {
  const asked = { kind: "event", text, atWallUs: wallUs + atUs } as const;
  return [
    ["ask", 100 + id, id, "sender a", "p/e", "a", asked],
    ["end", 6_000_000 + id, id, code, answer],
  ];
}

const fired = (us: number, text: string, dueUs = atUs): HistoryLine =>
  [...["fired", us, "a", text, dueUs]] as unknown as HistoryLine;

/** Two that fired, one refused, one of which nothing is known, one whose agent was away. */
function well(): HistoryLine[] {
  return [
    ["clock", 0, wallUs],
    ...event(1, "one", "ok", { number: 1, token: 11, error: 0 }),
    ...event(2, "two", "ok", { number: 2, token: 12, error: 0 }),
    ...event(3, "three", "refused", {}),
    ...event(4, "four", "unavailable", {}),
    ...event(5, "five", "timeout", { number: 3, token: 15 }),
    fired(5_000_010, "one"),
    fired(5_000_020, "two"),
    ["completed", 5_500_000, 15, -1],
    ["complete", 7_000_000],
  ];
}

function found(change: (lines: HistoryLine[]) => HistoryLine[]) {
  const reader = new HistoryReader();
  for (const line of change(well()).toSorted((a, b) => a[1] - b[1])) reader.take(line);
  reader.endFile("events.history");
  return checkEvents(reader.result());
}

const without = (word: string, text: string) => (lines: HistoryLine[]) =>
  lines.filter((line) => !(line[0] === word && line.includes(text as never)));
const also = (line: HistoryLine) => (lines: HistoryLine[]) => [...lines, line];
const moved =
  (text: string, us: number, dueUs = atUs) =>
  (lines: HistoryLine[]) => [...without("fired", text)(lines), fired(us, text, dueUs)];

const planted: readonly (readonly [
  string,
  ViolationKind,
  (lines: HistoryLine[]) => HistoryLine[],
])[] = [
  ["an event that fires twice", "doubled", also(fired(5_000_030, "one"))],
  ["one that was refused and fires", "doubled", also(fired(5_000_030, "three"))],
  ["one that nobody asked for", "doubled", also(fired(5_000_030, "six"))],
  ["one that completed and never fired", "lost", without("fired", "one")],
  [
    "one that was accepted and of which nobody says anything",
    "lost",
    without("completed", -1 as never),
  ],
  ["one that fires before it is due", "early", moved("one", 4_999_999)],
  ["one that fires before the instant asked for", "early", moved("one", 4_900_000, 4_900_000)],
  ["two of one instant in the wrong order", "order", moved("two", 5_000_005)],
];

describe("the checker of events", () => {
  it("finds nothing where all is well, and counts", () => {
    const { violations, ...counts } = found((lines) => lines);
    expect(violations).toEqual([]);
    const known = { planned: 5, fired: 2, failed: 1, refused: 1, unknown: 1 };
    expect(counts).toEqual({ ...known, equals: 1, apart: 0 });
  });

  for (const [title, kind, plant] of planted) {
    it(`finds ${title}: ${kind}`, () => {
      expect(found(plant).violations.map((one) => one.kind)).toContain(kind);
    });
  }

  it("lets what is unknown fire once, and what a dead scheduler has moved be apart", () => {
    expect(found(also(fired(5_000_030, "four"))).violations).toEqual([]);
    const { violations, apart } = found(moved("one", 7_000_000 - 1, 6_900_000));
    expect([violations, apart]).toEqual([[], 1]);
  });
});

describe("what a stream keeps of what it said", () => {
  const fault = "cut-leader";
  const acknowledged = [1, 2, 3].map((sequence) => ({
    ...{ writer: 0, text: `m${sequence}`, sequence, fault },
  }));
  const delivered = acknowledged.map(({ text, sequence }) => ({
    ...{ reader: 0, text, sequence, fault },
  }));
  const kept: Witness = {
    ...{ acknowledged, delivered },
    stream: new Map(acknowledged.map(({ sequence, text }) => [sequence, text])),
  };
  const counts = (witness: Partial<Witness>) =>
    judge({ ...kept, ...witness }).map(({ count }) => count);

  it("is all where nothing is lost", () => {
    expect(counts({})).toEqual([0, 0, 0, 0, 0]);
  });

  it("is less where something is gone, elsewhere, another one, out of order or twice", () => {
    const stream = (...texts: readonly string[]) => ({
      stream: new Map(texts.map((text, index) => [index + 1, text])),
    });
    expect(counts(stream("m1", "m2"))).toEqual([1, 0, 1, 0, 0]);
    expect(counts(stream("m1", "x", "m2", "m3"))).toEqual([0, 2, 2, 0, 0]);
    expect(counts({ delivered: [], ...stream("m1", "m2", "m3", "m1") })).toEqual([0, 0, 0, 0, 1]);
    expect(counts({ acknowledged: acknowledged.toReversed() })).toEqual([0, 0, 0, 2, 0]);
    const [lost] = judge({ ...kept, ...stream("m1", "m2") });
    expect(lost).toMatchObject({
      byFault: { "cut-leader": 1 },
      evidence: ["'m3' at 3, which has nothing"],
    });
  });
});
