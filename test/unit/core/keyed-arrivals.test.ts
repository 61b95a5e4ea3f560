// SPDX-License-Identifier: MIT
// X1 to X4: of the arrivals with one key one counts, whichever edges ask for it. Two edges stand
// for two servers of a log. Catches: an arrival that is counted anew (`apply` without `known`), an
// end or a number that is not kept, a move that leaves a deadline, a member or a place behind.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { Applied } from "../../../src/core/effect.ts";
import { keyedPerScopeMax, keyKeptUs } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { keysVersion } from "../../../src/core/version.ts";
import {
  CoreDriver,
  effectsOf,
  init,
  initOnly,
  percent,
  quorumInit,
  quorumWait,
  releases,
  rosterArrive,
  rosterOpen,
  signal,
  signalAndWait,
  wait,
} from "../../../src/testing/core-driver.ts";

interface Key {
  readonly key: string;
}
const keyed = <C extends Command>(command: C, key = "k"): C & Key => ({ ...command, key });

/** A core whose log knows keys, with the living edges "a" and "b". */
function driver(version = keysVersion): CoreDriver {
  const core = new CoreDriver();
  core.send("a", { kind: "version", version });
  core.send("b");
  return core;
}

const barrierOf = (core: CoreDriver) => core.service.describe("s").barriers[0];
const end = { kind: "end-edge" } as const;
const told = (applied: Applied) =>
  applied.addressed.map(({ edge, effect }) => {
    const { kind } = effect;
    if (kind === "released") return [edge, effect.outcome, ...effect.connections];
    return "connection" in effect ? [edge, kind, effect.connection] : [edge, kind];
  });

describe("an arrival with a key", () => {
  it("X1 waits on for who asks again, with its place, its error and its deadline", () => {
    const core = driver();
    core.send("a", initOnly(9, 3));
    core.send("a", keyed(wait(1, { error: 4, timeoutUs: 5_000_000 })));
    core.send("b", wait(2));
    expect(told(core.send("b", keyed(wait(3, { error: 7 }))))).toEqual([["a", "moved", 1]]);
    expect(barrierOf(core)).toMatchObject({ arrived: 2, count: 1, error: 4 });
    expect(barrierOf(core)?.waiting.map(({ who }) => who.address)).toEqual([
      "10.0.0.1:1/tcp",
      "10.0.0.1:2/tcp",
    ]);
    // The edge that it came by first may end: it has nobody there.
    expect(told(core.send("a", end))).toEqual([["a", "revoked"]]);
    expect(barrierOf(core)).toMatchObject({ arrived: 2 });
    expect(told(core.pass(5_000_000))).toEqual([["b", "timeout", 3]]);
    expect(barrierOf(core)).toMatchObject({ arrived: 1, count: 2 });
  });

  it("X1 does not let a barrier of two cross with one party", () => {
    const core = driver();
    core.send("a", keyed(init(1, 1)));
    expect(releases(core.send("b", keyed(init(1, 1))))).toEqual([]);
    expect(releases(core.send("b", wait(2))).map(([connection]) => connection)).toEqual([1, 2]);
  });

  it("counts anew below that version, and with another key", () => {
    for (const [version, key] of [
      [keysVersion - 1, "k"],
      [keysVersion, "other"],
    ] as const) {
      const core = driver(version);
      core.send("a", initOnly(9, 3), keyed(wait(1)));
      core.send("b", keyed(wait(1), key));
      expect(barrierOf(core)).toMatchObject({ arrived: 2 });
    }
  });

  it("X1 a leave of the connection that asked before is late news", () => {
    const core = driver();
    core.send("a", initOnly(9, 2), keyed(wait(1)));
    core.send("b", keyed(wait(1)));
    core.send("a", { kind: "leave", connection: 1 });
    expect(barrierOf(core)).toMatchObject({ arrived: 1 });
    core.send("b", { kind: "leave", connection: 1 });
    expect(barrierOf(core)).toMatchObject({ arrived: 0 });
  });

  it("X2 is told how it ended, as long as somebody was told within the time", () => {
    const core = driver();
    core.send("a", initOnly(9, 1, { error: 0 }), keyed(wait(1, { error: 3 })));
    core.send("b", initOnly(9, 2));
    for (const connection of [5, 6, 7]) {
      core.pass(keyKeptUs - 1_000_000);
      const [again] = effectsOf(core.send("b", keyed(wait(connection))), "released");
      expect(again).toMatchObject({ outcome: "crossed", generation: 1, error: 3 });
      expect(again?.connections).toEqual([connection]);
    }
    expect(barrierOf(core)).toMatchObject({ arrived: 0 });
    core.pass(keyKeptUs);
    core.send("b", keyed(wait(8)));
    expect(barrierOf(core)).toMatchObject({ arrived: 1 });
  });

  it("X2 of a wait that was out of time is told who was missing", () => {
    const core = driver();
    core.send("a", { kind: "open-scope", scope: "s", nodes: ["n1", "n2"] });
    core.send("a", initOnly(9, 2), keyed(wait(1, { timeoutUs: 1_000_000 })));
    core.pass(2_000_000);
    const [again] = effectsOf(core.send("b", keyed(wait(1))), "released");
    expect(again).toMatchObject({ outcome: "timeout" });
    expect(again?.missing).toEqual(["1 anonymous, from one of n1, n2"]);
    // Who was there is told once: the lists are long, and this is kept for each arrival.
    expect(again?.presence).toBeUndefined();
  });

  it("X2 an init that does not wait is acknowledged again, and counted once", () => {
    const core = driver();
    for (const edge of ["a", "b"]) {
      expect(told(core.send(edge, keyed(initOnly(1, 2))))).toEqual([[edge, "acknowledged", 1]]);
    }
    expect(barrierOf(core)).toMatchObject({ expected: 2 });
  });

  it("X3 a signal counts once, and is told its number again", () => {
    const core = driver();
    for (const edge of ["a", "b", "b"]) {
      const connection = barrierOf(core) === undefined ? 1 : core.service.sequence;
      const [effect] = effectsOf(core.send(edge, keyed(signal(connection))), "signalled");
      expect(effect).toMatchObject({ value: 1, connection });
    }
  });

  it("X3 who signals and waits has one number, also when its wait was taken back", () => {
    const core = driver();
    core.send("a", keyed(signalAndWait(1, 2)));
    expect(told(core.send("a", end))).toEqual([["a", "revoked"]]);
    expect(told(core.send("b", keyed(signalAndWait(4, 2))))).toEqual([["b", "signalled", 4]]);
    expect(barrierOf(core)?.state).toMatchObject({
      value: 1,
      targets: [{ target: 2, waiting: 1 }],
    });
    expect(told(core.send("b", signal(5)))).toEqual([
      ["b", "signalled", 5],
      ["b", "crossed", 4],
    ]);
    // And when it is over, both are told again.
    const again = core.send("b", keyed(signalAndWait(6, 2)));
    expect(effectsOf(again, "signalled")).toMatchObject([{ value: 1 }]);
    expect(effectsOf(again, "released")).toMatchObject([{ outcome: "crossed", part: 2 }]);
  });

  it("X4 one that was taken back counts anew", () => {
    const core = driver();
    core.send("a", initOnly(9, 2), keyed(wait(1)));
    core.send("a", end);
    expect(barrierOf(core)).toMatchObject({ arrived: 0, count: 2 });
    core.send("b", keyed(wait(1)));
    expect(barrierOf(core)).toMatchObject({ arrived: 1, count: 1 });
  });

  it("X4 one that was refused may be asked for again, and leaves nothing", () => {
    const core = driver();
    core.send("a", keyed(wait(1, { error: -1 })));
    expect(core.service.hasScope("s")).toBe(false);
    expect(told(core.send("b", keyed(wait(1, { error: -1 }))))).toEqual([["b", "refused", 1]]);
    core.send("b", keyed(wait(1)));
    expect(barrierOf(core)).toMatchObject({ arrived: 1 });
  });

  it("is refused when the key is that of another barrier or kind, or is too long", () => {
    const core = driver();
    core.send("a", keyed(wait(1)));
    for (const other of [
      keyed(wait(2, { barrier: "c" })),
      keyed(signal(2)),
      keyed(init(2, 2)),
      keyed(wait(2), "x".repeat(65)),
      keyed(wait(2), ""),
    ]) {
      expect(effectsOf(core.send("b", other), "refused")).toMatchObject([{ code: "invalid" }]);
    }
  });

  it("X1 waits on when its connection is told of something else that it asked", () => {
    const core = driver();
    core.send("a", initOnly(9, 3), keyed(wait(1)));
    const other = { kind: "cancel", scope: "s", barrier: "x", connection: 1, error: 240 } as const;
    const asked = [wait(1), keyed(wait(1)), keyed(wait(1), "other"), other];
    const codes = asked.map((one) => effectsOf(core.send("a", one), "refused")[0]?.code);
    expect(codes).toEqual(["invalid", "invalid", "invalid", "unknown"]);
    core.send("a", initOnly(9, 1, { barrier: "y" }));
    expect(told(core.send("a", { ...other, barrier: "y" }))).toEqual([["a", "acknowledged", 1]]);
    expect(told(core.send("b", keyed(wait(2))))).toEqual([["a", "moved", 1]]);
    expect(barrierOf(core)).toMatchObject({ arrived: 1 });
  });

  it("X1 is out of time in its turn among those of the same instant", () => {
    const core = driver();
    const timeoutUs = 1_000_000;
    core.send("a", initOnly(9, 5), keyed(wait(1, { timeoutUs })), wait(2, { timeoutUs }));
    core.send("b", keyed(wait(3)));
    expect(told(core.pass(timeoutUs))).toEqual([
      ["b", "timeout", 3],
      ["a", "timeout", 2],
    ]);
  });

  it("X1 of a roster is a member that came by the edge that asks now", () => {
    const core = driver();
    const rules = { phases: 1, whenDead: "fail", whenLate: "pass" } as const;
    core.send("b", rosterOpen(9, ["x", "y"], rules));
    core.send("a", keyed(rosterArrive(1, "x")));
    core.send("b", keyed(rosterArrive(2, "x")));
    // It would be dead, and the roster failed.
    core.send("a", end);
    expect(told(core.send("b", rosterArrive(3, "y")))).toEqual([["b", "crossed", 2, 3]]);
    expect(told(core.send("b", keyed(rosterArrive(4, "x"))))).toEqual([["b", "crossed", 4]]);
  });

  it("X2 a member that hears of its phase by another edge lives when the first has ended", () => {
    const core = driver();
    const rules = { phases: 2, whenDead: "fail", whenLate: "pass" } as const;
    core.send("b", rosterOpen(9, ["x", "y"], rules));
    core.send("a", keyed(rosterArrive(1, "x")));
    core.send("b", rosterArrive(2, "y"));
    expect(told(core.send("b", keyed(rosterArrive(3, "x"))))).toEqual([["b", "crossed", 3]]);
    core.send("a", end);
    core.send("b", rosterArrive(4, "x"));
    expect(told(core.send("b", rosterArrive(5, "y")))).toEqual([["b", "crossed", 4, 5]]);
  });

  it("X1 of a quorum is one arrival", () => {
    const core = driver();
    core.send("a", { kind: "peers-set", scope: "s", connection: 1, count: 2 });
    core.send("a", quorumInit(2, percent(100)));
    core.send("a", keyed(quorumWait(3)));
    expect(releases(core.send("b", keyed(quorumWait(3))))).toEqual([]);
    expect(releases(core.send("b", quorumWait(4)))).toHaveLength(2);
  });

  it("ends with its scope, and another scope of that name knows nothing of it", () => {
    const core = driver();
    core.send("a", keyed(wait(1)));
    core.send("a", { kind: "close-scope", scope: "s", error: 240 });
    core.send("b", keyed(wait(1)));
    expect(barrierOf(core)).toMatchObject({ arrived: 1 });
  });

  it("is kept by a snapshot, held or ended, with the same digest", () => {
    const core = driver();
    core.send("a", initOnly(9, 3), keyed(wait(1)), keyed(signal(2), "s"));
    core.send("a", keyed(signalAndWait(3, 5), "w"));
    const copy = Service.restore(core.limits, JSON.parse(JSON.stringify(core.service.snapshot())));
    expect(copy.digest()).toBe(core.service.digest());
    expect(copy.snapshot()).toEqual(core.service.snapshot());
    core.service = copy;
    expect(told(core.send("b", keyed(wait(1))))).toEqual([["a", "moved", 1]]);
    expect(told(core.send("b", keyed(signal(2), "s")))).toEqual([["b", "signalled", 2]]);
    const digest = core.service.digest();
    core.send("b", keyed(signalAndWait(3, 5), "w"));
    expect(core.service.digest()).not.toBe(digest);
    const once = Service.restore(core.limits, core.service.snapshot());
    expect(once.digest()).toBe(core.service.digest());
  });

  it("moves with its deadline in the digest, whether that was hashed before or not", () => {
    const core = driver();
    core.send("a", initOnly(9, 3), keyed(wait(1, { timeoutUs: 5_000_000 })));
    core.service.digest();
    core.send("b", keyed(wait(1)));
    const copy = Service.restore(core.limits, core.service.snapshot());
    expect(copy.digest()).toBe(core.service.digest());
  });

  it("is told its end behind a snapshot, and how it ended is known then", () => {
    const core = driver();
    core.send("a", initOnly(9, 2), keyed(wait(1)));
    core.service = Service.restore(core.limits, core.service.snapshot());
    expect(told(core.send("b", wait(2)))).toEqual([
      ["a", "crossed", 1],
      ["b", "crossed", 2],
    ]);
    expect(told(core.send("b", keyed(wait(3))))).toEqual([["b", "crossed", 3]]);
  });

  it("forgets the oldest of too many that have ended", () => {
    const core = driver();
    const signals = Array.from({ length: keyedPerScopeMax + 1 }, (_, index) =>
      keyed(signal(index + 1), `k${index}`),
    );
    core.send("a", ...signals);
    const [first, last] = [
      core.send("b", keyed(signal(1), "k1")),
      core.send("b", keyed(signal(2), "k0")),
    ];
    expect(effectsOf(first, "signalled")).toMatchObject([{ value: 2 }]);
    expect(effectsOf(last, "signalled")).toMatchObject([{ value: keyedPerScopeMax + 2 }]);
  });
});
