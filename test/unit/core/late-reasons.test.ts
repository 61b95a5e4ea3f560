// SPDX-License-Identifier: MIT
// B8: who comes too late to a quorum or a roster hears why it ended, as those did who waited; so
// much of it is kept as `closedReasonBytesMax` says, in the state, and not by logs of older
// versions. Method: commands and effects of cores without a log.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { Applied } from "../../../src/core/effect.ts";
import { closedReasonBytesMax } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { utf8Length } from "../../../src/core/text.ts";
import { endReasonsVersion } from "../../../src/core/version.ts";
import {
  CoreDriver,
  effectsOf,
  percent,
  quorumInit,
  quorumWait,
  rosterArrive,
  rosterOpen,
} from "../../../src/testing/core-driver.ts";
import { TreeBench } from "../../../src/testing/tree-bench.ts";

const kinds = ["quorum", "roster"] as const;
type Kind = (typeof kinds)[number];

const of = (barrierKind: Kind) => ({ scope: "s", barrier: "b", barrierKind }) as const;
const peers = { kind: "peers-set", scope: "s", connection: 99, count: 1 } as const;
const change = { kind: "roster-change", scope: "s", barrier: "b", connection: 9 } as const;

function opened(kind: Kind, version = endReasonsVersion): CoreDriver {
  const core = new CoreDriver();
  core.send("host", { kind: "version", version });
  if (kind === "quorum") core.send("d", peers, quorumInit(1, percent(100)));
  else core.send("d", rosterOpen(1, ["a"], { whenLate: "pass" }));
  return core;
}

function wait(kind: Kind, connection: number): Command {
  return kind === "quorum" ? quorumWait(connection) : rosterArrive(connection, "a");
}

/** Outcomes and reasons that were told. */
function ends(applied: Applied): readonly (readonly [string, string | undefined])[] {
  return effectsOf(applied, "released").map(({ outcome, reason }) => [outcome, reason] as const);
}

describe.each(kinds)("B8 who comes too late to a %s", (kind) => {
  it("hears why it was failed or cancelled, as who waited did", () => {
    for (const how of ["fail", "cancel"] as const) {
      const core = opened(kind);
      if (kind === "quorum") core.send("d", { ...peers, count: 2 });
      else core.send("d", { ...change, add: [{ name: "z" }], remove: [] });
      core.send("e", wait(kind, 1));
      const order = { ...of(kind), kind: how, error: 7, reason: "no disk" } as const;
      const expected = [[how === "fail" ? "failed" : "cancelled", "no disk"]];
      expect(ends(core.send("x", order))).toEqual(expected);
      expect(ends(core.send("e", wait(kind, 2)))).toEqual(expected);
    }
  });

  it("hears the reason also from a snapshot, of which the digest is that of the state", () => {
    const [core, other] = [opened(kind), opened(kind)];
    core.send("x", { ...of(kind), kind: "fail", error: 7, reason: "no disk" });
    other.send("x", { ...of(kind), kind: "fail", error: 7, reason: "no room" });
    expect(core.service.digest()).not.toBe(other.service.digest());
    const data = JSON.parse(JSON.stringify(core.service.snapshot()));
    const copy = Service.restore(core.limits, data);
    expect(copy.digest()).toBe(core.service.digest());
    core.service = copy;
    expect(ends(core.send("e", wait(kind, 2)))).toEqual([["failed", "no disk"]]);
  });

  it.each([
    ["x", 0, closedReasonBytesMax],
    ["x", 1, closedReasonBytesMax],
    ["é", 1, closedReasonBytesMax - 1],
    ["𝄞", 1, closedReasonBytesMax - 1],
  ])("hears what of it fits, of as many %s as fit and %i more", (character, more, bytes) => {
    const core = opened(kind);
    const reason = character.repeat(closedReasonBytesMax / utf8Length(character) + more);
    core.send("x", { ...of(kind), kind: "fail", error: 7, reason });
    const [[, told = ""] = []] = ends(core.send("e", wait(kind, 2)));
    expect(utf8Length(told)).toBe(bytes);
    expect(told).toBe(more === 0 ? reason : `${character.repeat([...told].length - 1)}…`);
  });

  it("hears no reason of what ended without one, nor where the log is of an older version", () => {
    const core = opened(kind);
    core.send("x", { ...of(kind), kind: "cancel", error: 7 });
    expect(ends(core.send("e", wait(kind, 2)))).toEqual([["cancelled", undefined]]);
    const old = opened(kind, endReasonsVersion - 1);
    old.send("x", { ...of(kind), kind: "fail", error: 7, reason: "no disk" });
    expect(ends(old.send("e", wait(kind, 2)))).toEqual([["failed", undefined]]);
  });
});

describe("B8 who comes too late", () => {
  it("to a roster that refuses them is refused with the reason", () => {
    const core = opened("roster");
    core.send("d", rosterOpen(2, ["a"], { whenLate: "refuse", barrier: "c" }));
    core.send("x", { ...of("roster"), barrier: "c", kind: "fail", error: 7, reason: "no disk" });
    const late = core.send("e", rosterArrive(1, "a", { barrier: "c" }));
    expect(effectsOf(late, "refused").map(({ message }) => message)).toEqual([
      "the roster c is over (failed): no disk",
    ]);
  });

  it("hears why at every controller of a tree", () => {
    const bench = new TreeBench([
      ["root", "a"],
      ["root", "b"],
    ]);
    for (const name of ["a", "b"]) bench.send(name, "p", peers);
    bench.send("root", "d", quorumInit(1, percent(100)));
    bench.send("a", "x", { ...of("quorum"), kind: "fail", error: 7, reason: "no disk" });
    for (const name of ["root", "a", "b"]) {
      const told = bench.send(name, "e", quorumWait(5));
      expect(told.map(({ effect }) => effect)).toMatchObject([
        { kind: "released", outcome: "failed", reason: "no disk", error: 7 },
      ]);
    }
  });
});
