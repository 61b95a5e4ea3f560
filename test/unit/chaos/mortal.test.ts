// SPDX-License-Identifier: MIT
// Goal: the checker of `npm run chaos` allows what a killed client may leave behind, and finds what
// must not follow from it. Method: a small history of three clients of which one is killed, and
// copies of it with one thing changed each.
import { describe, expect, it } from "vitest";
import { check } from "../../../chaos/checker/check.ts";
import { HistoryReader } from "../../../chaos/checker/operations.ts";
import type { ViolationKind } from "../../../chaos/checker/violation.ts";
import { type Asked, type HistoryLine, mortalScopes } from "../../../chaos/history.ts";

const second = 1_000_000;
const scope = `${mortalScopes}0-1`;
/** When m2 is killed. */
const killedUs = 30 * second;
const timeoutMs = 15_000;

interface Step {
  readonly party: string;
  readonly name: string;
  readonly asked: Asked;
  /** Seconds; without an end it is never answered. */
  readonly span: readonly [number, number?];
  readonly code?: string;
  readonly answer?: object;
}

const count: Asked = { kind: "count-wait", error: 0, timeoutMs };
const state: Asked = { kind: "signal-wait", target: 3, timeoutMs };
const phase = (number: number): Asked => ({ kind: "roster-arrive", phase: number });
const crossed = { generation: 1, error: 0 };

/** All cross a count, a state and a phase; then m2 dies in a count, a state and a phase. */
function steps(): Map<string, Step> {
  const all = (title: string, name: string, asked: Asked, at: number, answer: object) =>
    ["m0", "m1", "m2"].map((party, index): [string, Step] => {
      const told = asked.kind === "signal-wait" ? { value: index + 1 } : {};
      const span = [at + index / 10, at + 1] as const;
      return [`${title} ${party}`, { party, name, asked, span, answer: { ...answer, ...told } }];
    });
  const open: Asked = { kind: "roster-open", members: 3 };
  const init: Asked = { kind: "count-init", count: 3, error: 0 };
  const late: [string, Step][] = [
    ["m0 out", { party: "m0", name: "c2", asked: count, span: [26, 41], code: "timeout" }],
    ["m2 out", { party: "m2", name: "c2", asked: count, span: [28] }],
    ["m1 fails", { party: "m1", name: "r", asked: phase(2), span: [29, 44], code: "failed" }],
    ["m0 over", { party: "m0", name: "r", asked: phase(2), span: [46, 47], code: "unknown" }],
  ];
  return new Map([
    ["init", { party: "m0", name: "c", asked: init, span: [1, 2] }],
    ["init 2", { party: "m0", name: "c2", asked: init, span: [24, 25] }],
    ["open", { party: "m0", name: "r", asked: open, span: [3, 4] }],
    ...all("count", "c", count, 10, crossed),
    ...all("state", "s", state, 12, { generation: 1 }),
    ...all("phase", "r", phase(1), 14, { phase: 1, generation: 1 }),
    ...late,
  ]);
}

type Steps = Map<string, Step>;

function historyOf(all: Steps, party: string): HistoryLine[] {
  const own = [...all.values()].filter((step) => step.party === party);
  const lines = own.flatMap((step, index): HistoryLine[] => {
    const { name, asked, span, code = "ok", answer = {} } = step;
    const [askUs, endUs] = [span[0] * second, span[1] && span[1] * second];
    return [
      ["ask", askUs, index, party, scope, name, asked],
      ...(endUs === undefined ? [] : [["end", endUs, index, code, answer] as const]),
    ];
  });
  return lines.toSorted((a, b) => a[1] - b[1]);
}

/** @param isKilled else m2 stays, and is told nothing */
function judge(change: (all: Steps) => void = () => undefined, isKilled = true) {
  const all = steps();
  change(all);
  const reader = new HistoryReader();
  for (const party of ["m0", "m1", "m2"]) {
    const lines = historyOf(all, party);
    if (party === "m2" && isKilled) lines.push(["killed", killedUs]);
    else if (party === "m2") lines.push(["complete", 999 * second]);
    else {
      const us = Math.max(200 * second, lines.at(-1)?.[1] ?? 0);
      lines.push(["left", us, party, scope, "leaves"], ["complete", us]);
    }
    for (const line of lines) reader.take(line);
    reader.endFile(party);
  }
  return check(reader.result());
}

const kinds = (change?: (all: Steps) => void, isKilled?: boolean): readonly ViolationKind[] =>
  judge(change, isKilled).violations.map(({ kind }) => kind);

const set =
  (title: string, changes: Partial<Step>) =>
  (all: Steps): void => {
    const step = all.get(title);
    if (step === undefined) throw new Error(`no step ${title}`);
    all.set(title, { ...step, ...changes });
  };

describe("the checker of lanes whose clients are killed", () => {
  it("allows who is left to time out, to fail, and to be told that a roster is over", () => {
    const { violations, mortal } = judge();
    expect(violations).toEqual([]);
    const { crossed: went, timedOut, failed, dead } = mortal;
    expect([went, timedOut, failed, dead]).toEqual([9, 1, 1, 1]);
  });

  it("lets an arrival of the dead count or not", () => {
    const one: Step = { party: "m1", name: "c2", asked: count, span: [28.5, 31], answer: crossed };
    const goes = (all: Steps): void => {
      all.set("m1 out", one);
      set("m0 out", { span: [26, 31], code: "ok", answer: crossed })(all);
    };
    expect(kinds(goes)).toEqual([]);
    // Both, or none; and not before the dead one has asked.
    expect(kinds((all) => void all.set("m1 out", one))).toEqual(["disagreement"]);
    const before = (all: Steps): void => {
      goes(all);
      set("m2 out", { span: [31.5] })(all);
    };
    // Its last line is later than the instant that was taken before it was killed.
    expect(kinds(before)).toEqual(["early", "early"]);
    expect(
      kinds((all) => {
        goes(all);
        all.delete("m2 out");
      }),
    ).toEqual(["early", "early"]);
  });

  it("lets who may give up a wait do so, and nobody else", () => {
    const gives = (asked: Asked) => set("m0 out", { asked, code: "aborted" });
    expect(kinds(gives({ kind: "count-wait", error: 0 }))).toEqual([]);
    expect(kinds(gives(count))).toEqual(["refused"]);
  });

  it("lets a signal of the dead have a number or not, once", () => {
    const died = (values: readonly [number, number]) => (all: Steps) => {
      all.set("dies", { party: "m2", name: "s2", asked: state, span: [29] });
      for (const [index, party] of ["m0", "m1"].entries()) {
        const answer = { value: values[index] };
        all.set(party, { party, name: "s2", asked: state, span: [48, 49], answer });
      }
    };
    expect(kinds(died([1, 3]))).toEqual([]);
    expect(kinds(died([2, 3]))).toEqual([]);
    expect(kinds(died([1, 4]))).toContain("gap");
    expect(kinds(died([2, 2]))).toContain("doubled");
  });

  it("finds who is let go early, told another number or another generation", () => {
    expect(kinds(set("count m0", { span: [10, 10.1] }))).toEqual(["early"]);
    expect(kinds(set("state m0", { span: [12, 12.1] }))).toContain("early");
    expect(kinds(set("phase m0", { span: [14, 14.1] }))).toEqual(["early"]);
    expect(kinds(set("state m2", { answer: { value: 1 } }))).toContain("doubled");
    expect(kinds(set("count m2", { answer: { generation: 2 } }))).toContain("doubled");
    expect(kinds(set("phase m1", { code: "failed", span: [14.1, 31] }))).toEqual(["disagreement"]);
  });

  it("finds who hears nothing, or too late", () => {
    expect(kinds(set("m1 fails", { span: [29] }))).toEqual(["lost"]);
    expect(kinds(set("m1 fails", { span: [29, 181] }))).toEqual(["late"]);
    expect(kinds(set("m0 out", { span: [26, 196] }))).toContain("late");
    // It may wait for one who lives as long as that one likes.
    const waits = (asked: Asked) => set("m1 fails", { asked, span: [13, 179] });
    expect(kinds(waits(phase(2)))).toEqual([]);
    expect(kinds(waits({ kind: "roster-arrive", phase: 2, timeoutMs }))).toContain("late");
  });

  it("finds who hears of a death before there is one, or loses patience before it is over", () => {
    expect(kinds(set("m1 fails", { span: [28, 29.9] }))).toEqual(["refused"]);
    expect(kinds(undefined, false)).toEqual(["lost", "refused", "refused"]);
    expect(kinds(set("m0 out", { span: [26, 39] }))).toEqual(["early"]);
    expect(kinds(set("m1 fails", { code: "timeout" }))).toEqual(["refused"]);
    expect(kinds(set("m0 out", { code: "failed" }))).toEqual(["refused"]);
    expect(kinds(set("m0 out", { code: "unavailable" }))).toEqual(["refused"]);
  });
});
