// SPDX-License-Identifier: MIT
// Goal: the limits that decide are a function of the log (T1 to T3): whatever a process was told,
// equal entries give equal states. Method: entries of servers with chosen commands, applied to
// cores that were made with different limits, and their digests.
import { describe, expect, it } from "vitest";
import type { Batch, Command, LogEntry } from "../../../src/core/command.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { type CoreLimits, defaultCoreLimits, resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { toldLimitsVersion } from "../../../src/core/version.ts";

/** Cores that were made with different limits, on one log. */
class Cores {
  readonly all: readonly Service[];
  readonly entries: LogEntry[] = [];
  /** What the first of them says to the last entry. */
  effects: readonly EdgeEffect[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(...limits: readonly Partial<CoreLimits>[]) {
    this.all = limits.map((one) => new Service(resolveLimits(one)));
  }

  get first(): Service {
    return this.all[0] ?? new Service(resolveLimits());
  }

  /** Where all are in the same state, their digest, else all of them. */
  get digest(): string | readonly string[] {
    const digests = this.all.map((core) => core.digest());
    return new Set(digests).size === 1 ? (digests[0] ?? "") : digests;
  }

  append(name: string, ...commands: readonly Command[]): readonly EdgeEffect[] {
    const edge = `server/${name}`;
    const number = (this.#numbers.get(edge) ?? 0) + 1;
    this.#numbers.set(edge, number);
    const batches: readonly Batch[] = [{ edge, incarnation: 1, number, commands }];
    const entry: LogEntry = {
      ...{ sequence: this.entries.length + 1, stampUs: 0 },
      entry: { format: 1, server: { edge, incarnation: 1 }, batches },
    };
    this.entries.push(entry);
    const applied = this.all.map((core) => core.apply(entry).addressed);
    this.effects = (applied[0] ?? []).map(({ effect }) => effect);
    return this.effects;
  }

  /** The code with which an arrival is refused, if it is. */
  arrive(connection: number, barrier = "b"): string | undefined {
    const who = { address: "x" };
    const place = { scope: "s", barrier, connection, who, error: 0 };
    const refused = this.append("a", { kind: "count-wait", ...place }).find(
      ({ kind }) => kind === "refused",
    );
    return refused?.kind === "refused" ? refused.message : undefined;
  }
}

const join = (offers = toldLimitsVersion): Command => ({
  ...{ kind: "attach", as: "server", leaseUs: 10_000_000, offers },
});
const raise = (limits?: Partial<CoreLimits>): Command => ({
  ...{ kind: "version", version: toldLimitsVersion },
  ...(limits === undefined ? {} : { limits }),
});
const tell = (limits: Partial<CoreLimits>): Command => ({ kind: "limits", limits });
const full = (max: number): string =>
  `too many parties wait at this barrier: limit waitersPerBarrierMax (${max}) reached; raise it with --limit waitersPerBarrierMax=VALUE`;

describe("limits that the log says", () => {
  it("hold for every core, whatever its process was told (T1)", () => {
    const cores = new Cores({ waitersPerBarrierMax: 1 }, {}, { waitersPerBarrierMax: 5 });
    cores.append("a", join(), raise());
    for (const connection of [1, 2, 3]) expect(cores.arrive(connection)).toBeUndefined();
    cores.append("a", tell({ waitersPerBarrierMax: 3 }));
    expect(cores.arrive(4)).toBe(full(3));
    cores.append("a", tell({ waitersPerBarrierMax: 4 }));
    expect([cores.arrive(5), cores.arrive(6)]).toEqual([undefined, full(4)]);
    expect(cores.digest).toEqual(expect.any(String));
  });

  it("count from the entry that raises the log on, with which they come", () => {
    const cores = new Cores({}, { waitersPerBarrierMax: 7 });
    cores.append("a", join(), raise({ waitersPerBarrierMax: 1 }));
    expect([cores.arrive(1), cores.arrive(2)]).toEqual([undefined, full(1)]);
    expect(cores.digest).toEqual(expect.any(String));
  });

  it("take nothing away that is there when they are lowered", () => {
    const cores = new Cores({});
    cores.append("a", join(), raise());
    for (const connection of [1, 2, 3]) cores.arrive(connection);
    cores.append("a", tell({ waitersPerBarrierMax: 1, closedBarriersPerScopeMax: 1 }));
    expect(cores.first.waitersOfEdge("server/a")).toBe(3);
    expect([cores.arrive(4), cores.arrive(5, "another")]).toEqual([full(1), undefined]);
    // Who is there still crosses.
    const place = { scope: "s", barrier: "b", connection: 9, who: { address: "x" }, error: 0 };
    cores.append("a", { kind: "count-init", ...place, count: 3, waits: false });
    expect(cores.effects).toContainEqual(
      expect.objectContaining({ kind: "released", connections: [1, 2, 3], outcome: "crossed" }),
    );
  });

  it("are those of the process before the log is raised, and nothing that is told (T2)", () => {
    const cores = new Cores({ waitersPerBarrierMax: 1 });
    cores.append("a", join(toldLimitsVersion - 1), raise({ waitersPerBarrierMax: 9 }));
    cores.append("a", tell({ waitersPerBarrierMax: 9 }));
    expect([cores.arrive(1), cores.arrive(2)]).toEqual([undefined, full(1)]);
    expect([cores.first.toldLimits.isState, cores.first.toldLimits.rows]).toEqual([false, []]);
    expect(cores.first.snapshot()).not.toHaveProperty("limits");
  });

  it("keep the last of each name, and who told it", () => {
    const cores = new Cores({});
    cores.append("a", join(), raise({ scopesMax: 9, edgesMax: 5 }));
    cores.append("b", join());
    cores.append("b", tell({ scopesMax: 8 }));
    expect(cores.first.toldLimits.rows).toEqual([
      { name: "scopesMax", value: 8, server: "server/b" },
      { name: "edgesMax", value: 5, server: "server/a" },
    ]);
  });

  it("are passed over as a whole when they do not fit together (T3)", () => {
    const cores = new Cores({});
    cores.append("a", join(), raise());
    cores.append("a", tell({ scopesMax: 5, messageBytesMax: 200, topicBytesPerScopeMax: 200 }));
    cores.append("a", tell({ scopesMax: 0 }));
    cores.append("a", tell({ scopesMax: "5" as unknown as number }));
    // What only the process goes by is not told, nor what nobody knows.
    cores.append("a", tell({ mailboxCommandsMax: 7, more: 7 } as Partial<CoreLimits>));
    expect(cores.first.toldLimits.rows).toEqual([]);
    expect(cores.first.toldLimits.current).toEqual(resolveLimits());
  });

  it("are in the digest and in the snapshot, and go with the core that is cleared", () => {
    const [cores, others] = [new Cores({}), new Cores({})];
    for (const [at, max] of [
      [cores, 2],
      [others, 3],
    ] as const) {
      at.append("a", join(), raise());
      at.append("a", tell({ waitersPerBarrierMax: max }));
    }
    expect(cores.digest).not.toBe(others.digest);
    const snapshot = JSON.parse(JSON.stringify(cores.first.snapshot()));
    const copy = Service.restore(resolveLimits({ waitersPerBarrierMax: 50 }), snapshot);
    expect([copy.digest(), copy.toldLimits.rows]).toEqual([
      cores.digest,
      cores.first.toldLimits.rows,
    ]);
    expect(copy.toldLimits.current.waitersPerBarrierMax).toBe(2);
    copy.clear();
    expect(copy.toldLimits.current.waitersPerBarrierMax).toBe(50);
    expect(copy.digest()).toBe(new Service(resolveLimits()).digest());
  });

  it("have the defaults of version 5 where nothing was told: others are another version", () => {
    expect(defaultCoreLimits).toEqual({
      nameBytesMax: 255,
      scopesMax: 1_000,
      barriersPerScopeMax: 10_000,
      waitersPerBarrierMax: 100_000,
      waitersPerScopeMax: 1_000_000,
      closedBarriersPerScopeMax: 10_000,
      membersPerRosterMax: 100_000,
      peersPerScopeMax: 100_000,
      quorumInitUs: 30_000_000,
      quorumEchoUs: 30_000_000,
      childrenPerScopeMax: 1_000,
      treeOutboxMax: 100_000,
      treeFlushUs: 1_000,
      treeReportMax: 1_000,
      treeNewsUs: 1_000_000,
      treeAsksMax: 10_000,
      reasonBytesMax: 4_096,
      topicsPerScopeMax: 10_000,
      messageBytesMax: 524_288,
      topicBytesPerScopeMax: 67_108_864,
      togetherLeadUsMax: 10_000_000,
      eventsPerScopeMax: 100_000,
      eventArgsBytesMax: 65_536,
      errorRecordsPerScopeMax: 1_000,
      startsAtOnceMax: 100_000,
      edgesMax: 10_000,
      edgeLeaseUs: 10_000_000,
      edgeLeaseUsMax: 3_600_000_000,
      warnAfterUs: 10_000_000,
      dispatchAheadUs: 500_000,
      dispatchTogetherUs: 50_000,
      eventToleranceUs: 100_000,
      completionDeadlineUs: 86_400_000_000,
      namesInReportMax: 100,
    });
  });
});
