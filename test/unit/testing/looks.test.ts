// SPDX-License-Identifier: MIT
// Goal: what somebody who looks at a simulated cluster is shown is right when it holds behind an
// entry that may have been the last, and is complained of otherwise (K9). Method: a log by hand in
// which barriers of all kinds open, what the core says of it behind each entry, and the same a
// little wrong. Catches: a checker that takes whatever it is shown, or what was so before.
import { expect, it } from "vitest";
import type { Command, LogEntry } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { judgeLooks, type Look, type Looked } from "../../../src/testing/cluster/looks.ts";

const limits = resolveLimits();
const place = { scope: "s", barrier: "b" };
const commands: readonly Command[] = [
  { kind: "attach" },
  { ...waitOf(1), kind: "count-wait" },
  { ...waitOf(2), kind: "state-signal-and-wait", target: 3 },
  { ...waitOf(3), kind: "quorum-init", quorum: { kind: "count", count: 2 }, echo: "explicit" },
  {
    ...{ kind: "roster-open", ...waitOf(4), members: [{ name: "m", group: "g" }, { name: "n" }] },
    rules: { phases: 1, whenDead: "wait", whenLate: "refuse" },
  },
  { ...waitOf(5), kind: "roster-arrive", who: { address: "p", name: "m" } },
  { kind: "roster-dead", scope: "s", participant: "n", reason: "no disk" },
];

function waitOf(connection: number) {
  return { ...place, connection, who: { address: "p", name: `c${connection}` }, error: connection };
}

const entries = commands.map((command, index): LogEntry => {
  const batches = [{ edge: "e", incarnation: 1, number: index + 1, commands: [command] }];
  return { sequence: index + 1, stampUs: index * 1_000, entry: { format: 1, batches } };
});

/** What a server shows that has read so many entries. */
function shownBehind(read: number, looked: Looked): Look["shown"] {
  const core = new Service(limits);
  for (const entry of entries.slice(0, read)) core.apply(entry);
  if (looked.of !== "page") return core.describe("s", looked.name);
  const { max, after } = looked;
  return core.describe("s", undefined, { max, ...(after && { after }) });
}

function complaints(looked: Looked, look: Partial<Look>): readonly string[] {
  const { barriers, next } = look.shown ?? { barriers: [] };
  const shown = next === undefined ? { barriers } : { barriers, next };
  const facts = { who: "c9", scope: "s", looked, from: 0, through: entries.length };
  return judgeLooks([{ ...facts, ...look, shown }], entries, limits);
}

const ofName = { of: "name", name: "b" } as const;
const firstTwo = { of: "page", max: 2 } as const;

it("has nothing against what was open behind any entry between question and answer", () => {
  for (let read = 0; read <= entries.length; read += 1) {
    const shown = shownBehind(read, ofName);
    expect(complaints(ofName, { shown }), `${read}`).toEqual([]);
    expect(complaints(ofName, { shown, from: read, through: read }), `${read}`).toEqual([]);
  }
  expect(shownBehind(7, ofName).barriers.map(({ kind }) => kind)).toHaveLength(4);
});

it("has something against what was so before, or is so only later", () => {
  const shown = shownBehind(4, ofName);
  expect(complaints(ofName, { shown, from: 5 })).toHaveLength(1);
  expect(complaints(ofName, { shown, through: 3 })).toHaveLength(1);
  // The session that looks has heard of more than its server had read.
  expect(complaints(ofName, { shown, from: 5, through: 4 })).toHaveLength(1);
});

it("has something against one that is not shown, and against what is shown of each", () => {
  const { barriers } = shownBehind(7, ofName);
  for (const [index, barrier] of barriers.entries()) {
    const others = barriers.toSpliced(index, 1);
    expect(complaints(ofName, { from: 7, shown: { barriers: others } })[0]).toContain(barrier.kind);
    const wrong = barriers.with(index, { ...barrier, sinceUs: barrier.sinceUs + 1 });
    expect(complaints(ofName, { from: 7, shown: { barriers: wrong } })[0]).toContain(barrier.kind);
  }
});

it("knows pages by what comes before them, and whether more comes", () => {
  const shown = shownBehind(7, firstTwo);
  const { next: after } = shown;
  const rest = { ...firstTwo, after };
  expect(complaints(firstTwo, { shown })).toEqual([]);
  expect(complaints(rest, { shown: shownBehind(7, rest) })).toEqual([]);
  expect(complaints(rest, { shown })).toHaveLength(1);
  expect(complaints(firstTwo, { shown: { barriers: shown.barriers } })).toHaveLength(1);
});

it("wants no more of those who wait than a server shows", () => {
  const few = resolveLimits({ namesInReportMax: 2 });
  const waits = [1, 2, 3].map(
    (connection): Command => ({ ...waitOf(connection), kind: "count-wait" }),
  );
  const log = [{ kind: "attach" } as const, ...waits].map((command, index): LogEntry => {
    const batches = [{ edge: "e", incarnation: 1, number: index + 1, commands: [command] }];
    return { sequence: index + 1, stampUs: index, entry: { format: 1, batches } };
  });
  const core = new Service(few);
  for (const entry of log) core.apply(entry);
  const shown = core.describe("s", "b");
  expect(shown.barriers[0]?.waiting).toHaveLength(2);
  const facts = { who: "c9", scope: "s", looked: ofName, from: 4, through: 4 };
  expect(judgeLooks([{ ...facts, shown }], log, few)).toEqual([]);
});
