// SPDX-License-Identifier: MIT
// Goal: what the netem back end tells the kernel, and which back end a machine gets. Method: the
// command texts against rows written by hand, and against the kernel's own parser as far as this
// machine has one; choices from every outcome of the probes; the probe itself, on this machine.
import { execFileSync } from "node:child_process";
import { describe, expect, it, vi } from "vitest";
import {
  type BackendProbe,
  chooseBackend,
  probeBackends,
} from "../../../src/network/choose-backend.ts";
import { type DirectionShape, unshaped, usualQueue } from "../../../src/network/model.ts";
import { formatDirection, netemProblem } from "../../../src/network/netem/netem-commands.ts";

const lines = (shape: Partial<DirectionShape>, isUp = true): readonly string[] =>
  formatDirection("eth1", { shape: { ...unshaped, ...shape }, isUp });

describe("formatDirection", () => {
  it("names everything each time, and replaces what is there", () => {
    expect(lines({ bandwidthBps: 100_000_000, delayUs: 10_000, loss: 0.01 })).toEqual([
      "qdisc replace dev eth1 root handle 1: netem limit 1048576 delay 10000us loss random 1% rate 100gbit",
      "qdisc replace dev eth1 parent 1:1 handle 2: tbf rate 100000000bit burst 31250 limit 75700",
      "qdisc replace dev eth1 parent 2:1 handle 3: pfifo limit 50",
    ]);
  });

  it.each([
    [{}, 1, "tbf rate 40000000000bit burst 12500000 limit 12500000"],
    [{ bandwidthBps: 64_000 }, 1, "tbf rate 64000bit burst 3028 limit 75700"],
    [{ delayUs: 10_000, jitterUs: 2_000 }, 0, "delay 10000us 2000us loss random 0% rate 100gbit"],
    [{ delayUs: 5, duplicate: 0.02, reorder: 0.25 }, 0, "duplicate 2% reorder 25%"],
    [{ queue: { ...usualQueue, limitUnit: "bytes" as const, limit: 9000 } }, 2, "bfifo limit 9000"],
    [
      { bandwidthBps: 1_000_000, queue: { ...usualQueue, kind: "red" as const } },
      2,
      "red limit 75700 min 2500 max 7500 avpkt 500 burst 72 probability 0.1 bandwidth 1000000bit",
    ],
  ] as const)("says of %j on line %d: %s", (shape, line, text) => {
    expect(lines(shape)[line]).toContain(text);
  });

  it("loses everything on what is down, and keeps the rest", () => {
    expect(lines({ delayUs: 7, loss: 0.01 }, false)[0]).toContain("delay 7us loss random 100%");
  });

  it("knows what the kernel cannot do", () => {
    const queue = { ...usualQueue, kind: "gentle-red" as const };
    expect(netemProblem({ shape: { ...unshaped, queue }, isUp: true })).toContain("no gentle RED");
    expect(netemProblem({ shape: unshaped, isUp: true })).toBeUndefined();
  });
});

describe("chooseBackend", () => {
  const probes = (netem?: string, delayNode?: string): readonly BackendProbe[] => [
    { kind: "netem", problem: netem },
    { kind: "delay-node", problem: delayNode },
  ];

  it.each([
    [probes(), undefined, { kind: "netem", why: "the kernel has it" }],
    [probes("unknown"), undefined, { kind: "delay-node", why: "not netem: unknown" }],
    [probes("unknown"), "netem", { problem: expect.stringContaining("netem: unknown; leave") }],
    [probes(), "delay-node", { kind: "delay-node", why: "as asked" }],
    [
      probes("x", "y"),
      undefined,
      { problem: expect.stringContaining("(netem: x; delay-node: y); --links none") },
    ],
    [probes("x", "y"), "none", { kind: "none", why: "links are not shaped, as asked" }],
  ] as const)("of %j, asked for %s", (found, asked, choice) => {
    expect(chooseBackend(found, asked)).toEqual(choice);
  });
});

describe.skipIf(process.getuid?.() !== 0)("probeBackends", () => {
  it("says what this kernel has, and leaves nothing behind", async () => {
    const links = (): string => execFileSync("ip", ["-br", "link"], { encoding: "utf8" });
    const before = links();
    const [netem, delayNode] = await probeBackends();
    expect(delayNode).toEqual({ kind: "delay-node", problem: undefined });
    // Without the module the kernel says so, in these words.
    if (netem?.problem !== undefined)
      expect(netem.problem).toMatch(/qdisc kind is unknown|No such/);
    expect(links()).toBe(before);
  });

  it("gives the words of what failed", async () => {
    const [netem] = await probeBackends(["sh", "-c", "echo 'no such thing' >&2; exit 3", "--"]);
    expect(netem).toEqual({ kind: "netem", problem: "no such thing" });
  });

  it("finds what is in no directory of the caller's path, as links are made", async () => {
    const known = await probeBackends();
    vi.stubEnv("PATH", "/nonexistent");
    try {
      expect(await probeBackends()).toEqual(known);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
