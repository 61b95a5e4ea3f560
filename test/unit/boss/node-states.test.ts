// SPDX-License-Identifier: MIT
// Goal: what a node's states may become, for every mode, state and report. Method: the whole table
// written down a second time, as words, and compared cell by cell.
import { describe, expect, it } from "vitest";
import {
  isNodeState,
  isOpMode,
  nodeStates,
  type OpMode,
  opModes,
  planNodeState,
  stateSecondsMax,
} from "../../../src/boss/node-states.ts";

const toDown = "SHUTDOWN REBOOTING";
const toDownOrAgain = `${toDown} REBOOTED BOOTING`;
const common: Readonly<Record<string, string>> = {
  SHUTDOWN: "REBOOTING REBOOTED BOOTING UNKNOWN",
  REBOOTING: "SHUTDOWN REBOOTED BOOTING UNKNOWN",
  REBOOTED: `${toDown} BOOTING UNKNOWN`,
};
const normal: Readonly<Record<string, string>> = {
  ...common,
  BOOTING: `${toDown} REBOOTED TBSETUP UNKNOWN`,
  TBSETUP: `${toDownOrAgain} ISUP TBFAILED UNKNOWN`,
  ISUP: `${toDownOrAgain} UNKNOWN`,
  TBFAILED: `${toDownOrAgain} UNKNOWN`,
};
const minimal: Readonly<Record<string, string>> = {
  ...common,
  BOOTING: `${toDown} REBOOTED ISUP UNKNOWN`,
  ISUP: `${toDownOrAgain} UNKNOWN`,
};
const reload: Readonly<Record<string, string>> = {
  ...common,
  BOOTING: `${toDown} REBOOTED RELOADSETUP UNKNOWN`,
  RELOADSETUP: `${toDownOrAgain} RELOADING UNKNOWN`,
  RELOADING: `${toDownOrAgain} RELOADDONE RELOADDONEV2 UNKNOWN`,
  RELOADDONE: `${toDownOrAgain} UNKNOWN`,
  RELOADDONEV2: `${toDownOrAgain} UNKNOWN`,
};
const written: Readonly<Record<OpMode, Readonly<Record<string, string>>>> = {
  ...{ NORMAL: normal, NORMALv1: normal, DELAYING: normal, DELAY: normal },
  ...{ MINIMAL: minimal, UNKNOWNOS: minimal, _BOOTWHAT_: minimal, RELOAD: reload },
};

/** What may follow, by what is written above. */
function expected(mode: OpMode, from: string): readonly string[] {
  const table = written[mode];
  if (from === "UNKNOWN") return Object.keys(table);
  // A state that only another mode has: the node goes down, or nobody knows.
  return (table[from] ?? `${toDown} UNKNOWN`).split(" ");
}

describe.each(opModes)("in mode %s", (mode) => {
  it.each(nodeStates)("%s becomes what the table says and nothing else", (from) => {
    for (const reported of nodeStates) {
      const planned = planNodeState("n", mode, from, reported);
      if (reported === from) expect(planned).toEqual({ kind: "repeated" });
      else if (expected(mode, from).includes(reported)) {
        expect(planned).toEqual({ kind: "changed", to: reported });
      } else {
        expect(planned).toMatchObject({ kind: "refused" });
        expect(JSON.stringify(planned)).toContain(`n reports ${reported}, but is ${from}`);
      }
    }
  });

  it("leads from every state down, and up again (T3)", () => {
    for (const from of nodeStates) {
      if (from !== "SHUTDOWN") {
        expect(planNodeState("n", mode, from, "SHUTDOWN").kind).toBe("changed");
      }
    }
    expect(planNodeState("n", mode, "SHUTDOWN", "BOOTING").kind).toBe("changed");
  });
});

describe("names", () => {
  it("that are no states are refused, also those that objects have by themselves", () => {
    for (const name of ["", "isup", "UP", "constructor", "toString", "__proto__"]) {
      const message = `n reports ${name}, which is no state; it stays ISUP`;
      expect(planNodeState("n", "NORMAL", "ISUP", name)).toEqual({ kind: "refused", message });
    }
    expect([isNodeState("ISUP"), isNodeState("x"), isOpMode("NORMALv1"), isOpMode("x")]).toEqual([
      ...[true, false, true, false],
    ]);
  });

  it("of states that should not last are states", () => {
    expect(Object.keys(stateSecondsMax).every(isNodeState)).toBe(true);
    expect("ISUP" in stateSecondsMax).toBe(false);
  });
});
