// SPDX-License-Identifier: MIT
// M8: of two groups of servers with one name and one key the controller above keeps that which
// came first, also while its link is cut, until it is given up. Goal: whose link it is, what the
// other is told, that no order of joins locks both out, and that older logs go on as they did.
// Method: claims as carriers make them of what cores below say, put to a core above.
import { describe, expect, it } from "vitest";
import type { Command, TreeCommand } from "../../../../src/core/command.ts";
import type { EdgeEffect } from "../../../../src/core/effect.ts";
import { Service } from "../../../../src/core/service.ts";
import { originsVersion } from "../../../../src/core/version.ts";
import { CoreDriver } from "../../../../src/testing/core-driver.ts";

type Claim = NonNullable<Extract<TreeCommand, { kind: "tree-join" }>["claim"]>;

const scope = "s";

function core(version = originsVersion): CoreDriver {
  const made = new CoreDriver();
  made.send("host", { kind: "version", version });
  return made;
}

/** A server of a group below joins its own core. @returns what it shows above */
function joinOwn(below: CoreDriver, edge: string, life: number): Claim {
  const facts = { scope, name: "east", peer: "root", side: "parent", life } as const;
  const { addressed } = below.send(edge, { kind: "tree-join", ...facts });
  const joined = addressed.map(({ effect }) => effect).find(isJoined);
  if (joined?.term === undefined) throw new Error("its own core does not let it join");
  const { term, origin } = joined;
  return { life: joined.life, term, ...(origin === undefined ? {} : { origin }) };
}

function isJoined(effect: EdgeEffect): effect is Extract<EdgeEffect, { kind: "tree-joined" }> {
  return effect.kind === "tree-joined";
}

/** @returns why it is refused, undefined when it has joined */
function join(above: CoreDriver, edge: string, claim: Claim): string | undefined {
  const facts = { scope, name: "root", peer: "east", side: "child", life: 1 } as const;
  above.revive(edge);
  const { addressed } = above.send(edge, { kind: "tree-join", ...facts, claim });
  for (const { edge: to, effect } of addressed) {
    if (to === edge && effect.kind === "tree-left") return effect.reason;
  }
  expect(addressed.map(({ effect }) => effect.kind)).toContain("tree-joined");
  return undefined;
}

const detach = (edge: string): Command => ({ kind: "detach", edge, incarnation: 1 });

describe("M8 the origin of a log", () => {
  it("is that of its first join, whatever follows, and in snapshot and digest", () => {
    const below = core();
    expect(joinOwn(below, "p", 71).origin).toBe(71);
    below.send("p", { kind: "tree-leave", scope, peer: "root" });
    expect(joinOwn(below, "q", 72)).toEqual({ life: 72, term: 1, origin: 71 });
    const data = JSON.parse(JSON.stringify(below.service.snapshot()));
    const copy = Service.restore(below.limits, data);
    expect(copy.digest()).toBe(below.service.digest());
    const other = Service.restore(below.limits, { ...data, origin: 73 });
    expect(other.digest()).not.toBe(below.service.digest());
    below.service = copy;
    below.send("q", { kind: "tree-leave", scope, peer: "root" });
    expect(joinOwn(below, "r", 74).origin).toBe(71);
    // One machine is used for one log after the other.
    copy.clear();
    expect(copy.snapshot()).not.toHaveProperty("origin");
  });

  it("is that of the log, in all of its scopes, also when they are closed", () => {
    const below = core();
    joinOwn(below, "p", 71);
    below.send("x", { kind: "close-scope", scope, error: 0 });
    expect(joinOwn(below, "q", 72).origin).toBe(71);
  });

  it("is not there before version 7, and is at the next join after it was raised", () => {
    const below = core(originsVersion - 1);
    expect(joinOwn(below, "p", 71)).toEqual({ life: 71, term: 1 });
    below.send("host", { kind: "version", version: originsVersion });
    expect(joinOwn(below, "q", 72)).toEqual({ life: 71, term: 2, origin: 72 });
  });
});

describe("M8 a group of another log, of the same name and key", () => {
  const refusal =
    "another controller has joined root as east with a log of origin 71, this one is of 81; " +
    "give each its own name";

  it("is refused while the first is there, and while its link is cut, until its lease is over", () => {
    const [first, other, above] = [core(), core(), core()];
    expect(join(above, "a1", joinOwn(first, "p", 71))).toBeUndefined();
    expect(join(above, "b1", joinOwn(other, "p", 81))).toBe(refusal);
    above.send("host", detach("a1"));
    above.pass(9_000_000);
    expect(join(above, "b1", joinOwn(other, "q", 82))).toBe(refusal);
    // The first comes back by another server of it, and is let in.
    expect(join(above, "a2", joinOwn(first, "q", 72))).toBeUndefined();
    above.send("host", detach("a2"));
    above.pass(11_000_000);
    expect(join(above, "b1", joinOwn(other, "r", 83))).toBeUndefined();
    // Now it is the other way round.
    const again = join(above, "a3", joinOwn(first, "r", 73));
    expect(again).toContain("with a log of origin 81, this one is of 71");
  });

  it("is let in when the first has left", () => {
    const [first, other, above] = [core(), core(), core()];
    join(above, "a1", joinOwn(first, "p", 71));
    above.send("a1", { kind: "tree-leave", scope, peer: "east" });
    expect(join(above, "b1", joinOwn(other, "p", 81))).toBeUndefined();
  });

  it("does not lock the first out that has given its link up and begins another", () => {
    const [first, other, above] = [core(), core(), core()];
    join(above, "a1", joinOwn(first, "p", 71));
    first.send("p", { kind: "tree-leave", scope, peer: "root", reason: "was lost" });
    above.send("host", detach("a1"));
    expect(join(above, "b1", joinOwn(other, "p", 81))).toBe(refusal);
    expect(join(above, "a2", joinOwn(first, "q", 72))).toBeUndefined();
    expect(join(above, "b1", joinOwn(other, "q", 82))).toBe(refusal);
  });

  it("takes the place of one whose link is cut, as before, where either log is of version 6", () => {
    for (const old of ["first", "other", "above"] as const) {
      const make = (who: string): CoreDriver => core(originsVersion - (who === old ? 1 : 0));
      const [first, other, above] = [make("first"), make("other"), make("above")];
      join(above, "a1", joinOwn(first, "p", 71));
      const next = joinOwn(other, "p", 81);
      expect(join(above, "b1", next)).toContain("another controller has joined root as east");
      above.send("host", detach("a1"));
      expect(join(above, "b1", next)).toBeUndefined();
    }
  });

  it("a group whose log was raised meanwhile is the same group", () => {
    const [first, above] = [core(originsVersion - 1), core()];
    join(above, "a1", joinOwn(first, "p", 71));
    first.send("host", { kind: "version", version: originsVersion });
    expect(join(above, "a2", joinOwn(first, "q", 72))).toBeUndefined();
  });
});
