// SPDX-License-Identifier: MIT
// Goal: a wait of the old wire at a name that an experiment declares arrives as the right member.
// Method: the translation alone; how it looks from a program is in test/e2e/run-waits.test.ts.
import { describe, expect, it } from "vitest";
import type { CountInit, CountWait } from "../../../src/core/command.ts";
import {
  formatMemberBarriers,
  type MemberBarriers,
  Members,
  parseMemberBarriers,
} from "../../../src/edges/syncd/members.ts";

const barriers: MemberBarriers = new Map([
  [
    "ready",
    {
      kind: "roster",
      members: new Map([
        ["a", ["a"]],
        ["b", ["b1", "b2"]],
      ]),
    },
  ],
  ["some", { kind: "quorum", members: new Map([["a", ["a"]]]) }],
]);

function wait(connection: number, node: string, barrier = "ready"): CountWait {
  const who = { address: `127.0.0.1:${connection}/tcp`, node };
  return { kind: "count-wait", scope: "s", barrier, connection, who, error: 3 };
}

const nameOf = (arrival: ReturnType<Members["translate"]> | undefined): string | undefined =>
  arrival === undefined || "refused" in arrival ? undefined : arrival.who.name;

describe("Members", () => {
  it("leaves other names alone, and makes arrivals of members", () => {
    const members = new Members(barriers);
    expect(members.translate(wait(1, "a", "other"))).toEqual(wait(1, "a", "other"));
    const who = { address: "127.0.0.1:2/tcp", node: "a", name: "a" };
    const common = { scope: "s", connection: 2, who, error: 3 };
    const roster = members.translate(wait(2, "a"));
    expect(roster).toEqual({ kind: "roster-arrive", barrier: "ready", ...common });
    const quorum = members.translate(wait(2, "a", "some"));
    expect(quorum).toEqual({ kind: "quorum-wait", barrier: "some", ...common });
  });

  it("M1 takes the programs of a node in their order, and again who is spoken for no more", () => {
    const members = new Members(barriers);
    expect([1, 2].map((one) => nameOf(members.translate(wait(one, "b"))))).toEqual(["b1", "b2"]);
    members.forget(1);
    expect(nameOf(members.translate(wait(3, "b")))).toBe("b1");
    // All are spoken for: the core says what that means.
    expect(nameOf(members.translate(wait(4, "b")))).toBe("b1");
  });

  it("tries the next member when one was refused, and no more when there is none", () => {
    const members = new Members(barriers);
    members.translate(wait(1, "b"));
    expect(nameOf(members.another(1))).toBe("b2");
    expect(members.another(1)).toBeUndefined();
    expect(members.another(9)).toBeUndefined();
  });

  it("refuses strangers, and who would open what the file has opened", () => {
    const members = new Members(barriers);
    expect(members.translate(wait(1, "c"))).toMatchObject({
      refused: expect.stringMatching(/^nobody of c/),
    });
    const init: CountInit = { ...wait(1, "a"), kind: "count-init", count: 2, waits: false };
    expect(members.translate(init)).toMatchObject({
      refused: expect.stringContaining("the experiment file opens"),
    });
    expect(nameOf(members.translate({ ...init, waits: true }))).toBe("a");
  });

  it("comes through the file that a run gives its sync server", () => {
    expect(parseMemberBarriers(formatMemberBarriers(barriers))).toEqual(barriers);
  });
});
