// SPDX-License-Identifier: MIT
// Goal: controllers of one process are a tree: hosts with logs of their own, joined by edges.
// Method: the shipped hosts on delaying, failing logs under virtual time, four of them one below
// the other; drivers and peers are edges of them.
import { expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Random } from "../../../src/core/random.ts";
import { TreeCarrier } from "../../../src/edges/tree/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import type { ConnectEdge } from "../../../src/host/core-link.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const names = ["root", "a", "b", "c"] as const;

class TreeOfHosts {
  readonly clock = new VirtualClock();
  readonly hosts = new Map<string, Host>();
  readonly heard: string[] = [];
  #lastLife = 0;

  constructor(seed: number) {
    const { clock } = this;
    const random = new Random(seed);
    const faults = {
      ...{ appendDelayMsMax: 30, deliveryDelayMsMax: 30 },
      ...{ definiteFailure: 0.1, indefiniteFailure: 0.1 },
    };
    for (const name of names) {
      const inner = new MemoryLog({ nowUs: () => clock.nowUs() });
      const log = new DelayingLog({ inner, clock, random, faults });
      const logger = { log: () => undefined };
      const limits = resolveLimits();
      const newIncarnation = (): number => this.newLife();
      this.hosts.set(name, new Host({ log, clock, limits, logger, newIncarnation }));
    }
  }

  newLife(): number {
    this.#lastLife += 1;
    return this.#lastLife;
  }

  async start(): Promise<void> {
    const started = Promise.all([...this.hosts.values()].map((host) => host.start()));
    await this.clock.pass(1_000_000);
    await started;
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  join(parent: string, child: string): () => Promise<void> {
    const carrier = new TreeCarrier({
      ...{ scopes: ["s"], name: child, parent, clock: this.clock, logger: silentLogger },
      connectOwn: this.host(child).connectEdge,
      connectParent: this.host(parent).connectEdge,
      ...{ newLife: () => this.newLife(), limits: resolveLimits() },
    });
    return () => carrier.close();
  }

  /** An edge of a controller that says what it hears. */
  edge(controller: string, name: string) {
    return this.host(controller).connectEdge(name, {
      onEffects: (effects) => {
        for (const effect of effects) {
          if (effect.kind === "quorum-status") this.heard.push(`${name} ${effect.status}`);
          if (effect.kind === "released") {
            const { outcome, connections, error } = effect;
            this.heard.push(`${controller} ${connections.join()} ${outcome} ${error}`);
          }
        }
      },
    });
  }
}

const place = { scope: "s", barrier: "b" } as const;
const arrival = { ...place, who: { address: "x" } } as const;

it.each([1, 2, 3])(
  "a quorum crosses over four hosts one below the other (seed %i)",
  async (seed) => {
    const tree = new TreeOfHosts(seed);
    await tree.start();
    tree.join("b", "c");
    tree.join("a", "b");
    tree.join("root", "a");
    await tree.clock.pass(5_000_000);
    const peers = { kind: "peers-set", scope: "s", connection: 1, count: 1 } as const;
    for (const name of names) tree.edge(name, "d").submit(peers);
    await tree.clock.pass(5_000_000);
    const driver = tree.edge("root", "driver");
    const quorum = { kind: "percent", percent: 100 } as const;
    driver.submit({ kind: "quorum-init", ...arrival, connection: 1, quorum, echo: "explicit" });
    await tree.clock.pass(5_000_000);
    expect(tree.heard).toEqual(["driver initialised"]);
    for (const [index, name] of names.entries()) {
      const edge = tree.edge(name, "peer");
      edge.submit({ kind: "quorum-wait", ...arrival, connection: 7, error: index });
    }
    await tree.clock.pass(5_000_000);
    expect(tree.heard).toEqual(["driver initialised", "driver crossed"]);
    driver.submit({ kind: "quorum-echo", ...place, connection: 1 });
    await tree.clock.pass(5_000_000);
    const released = tree.heard.slice(2);
    expect(released).toContain("driver released");
    const outcomes = released.filter((text) => text !== "driver released").sort();
    expect(outcomes).toEqual(["a", "b", "c", "root"].map((name) => `${name} 7 crossed 3`));
  },
);

it.each([1, 2, 3])("a count is that of four hosts one below the other (seed %i)", async (seed) => {
  const tree = new TreeOfHosts(seed);
  await tree.start();
  tree.join("b", "c");
  tree.join("a", "b");
  tree.join("root", "a");
  await tree.clock.pass(5_000_000);
  const waits = names.map((name) => tree.edge(name, "peer"));
  for (let round = 1; round <= 3; round += 1) {
    const first = round * 100;
    const init = { ...arrival, connection: 1, count: 12, waits: false, error: 0 } as const;
    const opener = tree.edge(names[round] ?? "root", `opener${round}`);
    for (const [index, edge] of waits.entries()) {
      for (let connection = first; connection < first + 3; connection += 1) {
        edge.submit({ kind: "count-wait", ...arrival, connection, error: index });
      }
    }
    await tree.clock.pass(2_000_000);
    expect(tree.heard).toEqual([]);
    opener.submit({ kind: "count-init", ...init });
    await tree.clock.pass(2_000_000);
    const connections = [first, first + 1, first + 2].join();
    const all = ["a", "b", "c", "root"].map((name) => `${name} ${connections} crossed 3`);
    expect(tree.heard.splice(0).sort()).toEqual(all);
    for (const name of names) expect(tree.host(name).describe("s").barriers).toEqual([]);
  }
});

it("the end of a link is heard at the root, with the name of who is lost", async () => {
  const tree = new TreeOfHosts(4);
  await tree.start();
  const end = tree.join("b", "c");
  tree.join("a", "b");
  tree.join("root", "a");
  await tree.clock.pass(5_000_000);
  tree
    .host("c")
    .connectEdge("peers", { onEffects: () => undefined })
    .submit({
      ...{ kind: "peers-set", scope: "s", connection: 1, count: 5 },
    });
  const quorum = { kind: "percent", percent: 100 } as const;
  const driver = tree.edge("root", "driver");
  await tree.clock.pass(5_000_000);
  driver.submit({ kind: "quorum-init", ...arrival, connection: 1, quorum, echo: "automatic" });
  tree.edge("c", "peer").submit({ kind: "quorum-wait", ...arrival, connection: 7, error: 0 });
  await tree.clock.pass(5_000_000);
  const ended = end();
  await tree.clock.pass(5_000_000);
  await ended;
  expect(tree.heard).toContain("driver failed");
  expect(tree.host("root").describe("s").barriers).toEqual([]);
});

it("a controller whose own core has ended its link joins by another one", async () => {
  const tree = new TreeOfHosts(5);
  await tree.start();
  tree.join("root", "a");
  await tree.clock.pass(5_000_000);
  // As when other servers have taken this one for ended: a newer life ends the one there is.
  const other = tree.host("a").connectEdge("parent/root", { onEffects: () => undefined });
  await tree.clock.pass(1_000_000);
  const closed = other.close();
  await tree.clock.pass(10_000_000);
  await closed;
  const init = { ...arrival, connection: 1, count: 2, waits: false, error: 0 } as const;
  tree.edge("root", "opener").submit({ kind: "count-init", ...init });
  for (const name of ["root", "a"]) {
    tree.edge(name, "peer").submit({ kind: "count-wait", ...arrival, connection: 7, error: 0 });
  }
  await tree.clock.pass(5_000_000);
  expect([...tree.heard].sort()).toEqual(["a 7 crossed 0", "root 7 crossed 0"]);
});

const nowhere: ReturnType<ConnectEdge> = {
  submit: () => true,
  describe: () => new Promise(() => undefined),
  listEvents: () => new Promise(() => undefined),
  close: () => Promise.resolve(),
  letGo: () => undefined,
};

it("a controller that is refused each second says so once, then ever more rarely", async () => {
  const tree = new TreeOfHosts(1);
  await tree.start();
  const lines: string[] = [];
  const logger = { log: (_: string, line: string) => void lines.push(line) };
  let isRefused = true;
  let calls = 0;
  const carrier = new TreeCarrier({
    ...{ scopes: ["s"], name: "a", parent: "root", clock: tree.clock, logger },
    connectOwn: tree.host("a").connectEdge,
    connectParent: (edge, handler) => {
      calls += 1;
      if (!isRefused) return tree.host("root").connectEdge(edge, handler);
      tree.clock.after(1, () => handler.onClosed?.("it is called top here"));
      return nowhere;
    },
    ...{ newLife: () => tree.newLife(), limits: resolveLimits() },
  });
  await tree.clock.pass(150_000_000);
  expect(calls).toBeGreaterThan(100);
  const told = "controller root cannot be joined: it is called top here";
  expect(lines).toEqual([`${told}; trying again`, `${told} (for 1 min now); trying again`]);
  isRefused = false;
  await tree.clock.pass(5_000_000);
  expect([carrier.isJoined, lines.length]).toEqual([true, 2]);
  await Promise.all([carrier.close(), tree.clock.pass(5_000_000)]);
});
