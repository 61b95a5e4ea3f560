// SPDX-License-Identifier: MIT
// Goal: the state machine of experiments allows what the table in docs/reference/database.md says
// and nothing else. Method: every state with every transition, against a table written by hand.
import { describe, expect, it } from "vitest";
import {
  type ExperimentState,
  experimentStates,
  hasNodes,
  isExperimentState,
  planTransition,
  type Transition,
  transitions,
} from "../../../src/boss/states.ts";

type Row = Readonly<Partial<Record<Transition, ExperimentState>>>;

const allowed: Readonly<Record<ExperimentState, Row>> = {
  swapped: { "swap-in": "activating" },
  activating: { activated: "active", "swap-out": "swapping", lost: "swapped" },
  active: { modify: "modify_reswap", "swap-out": "swapping", lost: "swapped" },
  modify_reswap: { modified: "active", "swap-out": "swapping", lost: "swapped" },
  swapping: { "swapped-out": "swapped", lost: "swapped" },
};

const cases = experimentStates.flatMap((state) =>
  transitions.map((transition) => ({ state, transition, to: allowed[state][transition] })),
);

describe("planTransition()", () => {
  it.each(cases)("from $state, $transition leads to $to", ({ state, transition, to }) => {
    const planned = planTransition("p/e", state, transition);
    if (to !== undefined) expect(planned).toEqual({ kind: "allowed", to });
    else {
      expect(planned.kind).toBe("refused");
      const message = planned.kind === "refused" ? planned.message : "";
      expect(message).toContain(`p/e is ${state} and cannot `);
      expect(message).toContain(`muster ${state === "swapped" ? "up" : ""}`);
    }
  });

  it("leads from every state to swapped and to active (S2)", () => {
    for (const goal of ["swapped", "active"] as const) {
      for (const state of experimentStates) {
        expect([...reachable(state)]).toContain(goal);
      }
    }
  });

  it("skips no step but when the daemon is lost (S3)", () => {
    const direct = cases.filter(({ state, to }) => to === "swapped" && state !== "swapping");
    expect(new Set(direct.map(({ transition }) => transition))).toEqual(new Set(["lost"]));
  });
});

function reachable(from: ExperimentState): ReadonlySet<ExperimentState> {
  const found = new Set<ExperimentState>([from]);
  for (const state of found) {
    for (const to of Object.values(allowed[state])) found.add(to);
  }
  return found;
}

describe("hasNodes()", () => {
  it.each(experimentStates)("is true for %s but for swapped (S1)", (state) => {
    expect(hasNodes(state)).toBe(state !== "swapped");
  });
});

describe("isExperimentState()", () => {
  it("knows the states and nothing else", () => {
    expect(experimentStates.every(isExperimentState)).toBe(true);
    expect(["", "Active", "toString"].some(isExperimentState)).toBe(false);
  });
});
