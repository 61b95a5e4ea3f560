// SPDX-License-Identifier: MIT
// Goal: who may do what to an experiment. Method: every action with every trust, by the swapper and
// by others, against a table written by hand; then root (A1).
import { describe, expect, it } from "vitest";
import {
  type Action,
  actions,
  isTrust,
  judge,
  type Trust,
  trusts,
} from "../../../src/boss/rights.ts";

type Who = "none" | Trust;
const everybody: readonly Who[] = ["none", ...trusts];

/** Who may by the membership alone, and whether having swapped it in is enough for anybody. */
const table: Readonly<Record<Action, { readonly may: readonly Who[]; readonly swapper: boolean }>> =
  {
    see: { may: ["user", "trusted", "leader"], swapper: true },
    "read-output": { may: ["user", "trusted", "leader"], swapper: true },
    "swap-in": { may: ["trusted", "leader"], swapper: false },
    modify: { may: ["leader"], swapper: true },
    "swap-out": { may: ["leader"], swapper: true },
    "set-members": { may: ["leader"], swapper: false },
  };

const cases = actions.flatMap((action) =>
  everybody.flatMap((who) =>
    [true, false].map((isSwapper) => ({
      action,
      who,
      isSwapper,
      may: table[action].may.includes(who) || (isSwapper && table[action].swapper),
    })),
  ),
);

const actor = (who: Who, unixUid = 1000) => ({
  name: "ann",
  unixUid,
  trust: who === "none" ? undefined : who,
});

describe("judge()", () => {
  it.each(cases)("$action by $who, swapper $isSwapper: $may", ({ action, who, isSwapper, may }) => {
    const judgement = judge(actor(who), action, "p/e", isSwapper ? "ann" : "bob");
    expect(judgement.kind).toBe(may ? "allowed" : "refused");
    if (judgement.kind === "refused") {
      expect(judgement.message).toMatch(/^ann may not .* p\/e; who may: .*root$/);
    }
  });

  it.each(actions)("root may %s, without any membership (A1)", (action) => {
    expect(judge(actor("none", 0), action, "p/e", "bob")).toEqual({ kind: "allowed" });
  });

  it("names the swapper where the swapper may, and nobody for a swapped-out experiment", () => {
    const message = (swapper: string | null): string => {
      const judgement = judge(actor("user"), "swap-out", "p/e", swapper);
      return judgement.kind === "refused" ? judgement.message : "";
    };
    expect(message("bob")).toContain("who swapped it in (bob), a leader of the project, root");
    expect(message(null)).toContain("(nobody now)");
  });
});

describe("isTrust()", () => {
  it("knows the three and nothing else", () => {
    expect(trusts.every(isTrust)).toBe(true);
    expect(["", "root", "Leader"].some(isTrust)).toBe(false);
  });
});
