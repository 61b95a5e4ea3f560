// SPDX-License-Identifier: MIT
// Goal: of the servers of a controller one carries the link up that can reach the controller above;
// when none can, each has its turn, and who waits for the one above is told (U1, U4). Method:
// shipped hosts on one log under virtual time; which of them reaches the one above is a switch.
import { expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { GroupUplink } from "../../../src/edges/tree/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import type { ConnectEdge } from "../../../src/host/core-link.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { serverEdge } from "../../../src/host/server-membership.ts";
import { Shards } from "../../../src/host/shards.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const second = 1_000_000;
const limits = resolveLimits();
const names = ["e1", "e2", "e3"] as const;

/** Nothing comes back from there. */
const nowhere: ConnectEdge = () => ({
  submit: () => true,
  describe: () => new Promise(() => undefined),
  listEvents: () => new Promise(() => undefined),
  close: () => Promise.resolve(),
  letGo: () => undefined,
});

/** What a server finds above: the controller, nobody, or somebody who refuses each call. */
type Above = "there" | "nowhere" | "refusing";

class Group {
  readonly clock = new VirtualClock();
  /** Who has taken the link, in turn, with the second. */
  readonly calls: string[] = [];
  readonly joins: string[] = [];
  refusals = 0;
  /** The way of the carrier to the controller above is lost, or is there again. */
  onLink: (isUp: boolean) => void = () => undefined;
  readonly above = new Map<string, Above>();
  readonly uplinks = new Map<string, GroupUplink>();
  readonly #log = new MemoryLog({ nowUs: () => this.clock.nowUs() });
  readonly #hosts = new Map<string, Host>();
  #top: Host | undefined;
  #lives = 0;

  /** @param reaching the others reach nobody */
  async start(reaching: readonly string[], servers: readonly string[] = names): Promise<void> {
    for (const name of servers) {
      if (!this.above.has(name))
        this.above.set(name, reaching.includes(name) ? "there" : "nowhere");
    }
    this.#top = this.#host(new MemoryLog({ nowUs: () => this.clock.nowUs() }));
    for (const name of servers) this.#hosts.set(name, this.#host(this.#log, name));
    const hosts = [...this.#hosts.values(), this.#top];
    const started = Promise.all(hosts.map((host) => host.start()));
    await this.clock.pass(second);
    await started;
    for (const [name, host] of this.#hosts) this.#join(name, host);
  }

  /** Another server, which reaches the controller above. */
  async add(name: string): Promise<void> {
    const host = this.#host(this.#log, name);
    this.#hosts.set(name, host);
    const started = host.start();
    await this.clock.pass(second);
    await started;
    this.above.set(name, "there");
    this.#join(name, host);
  }

  get carriers(): readonly string[] {
    return [...this.uplinks].flatMap(([name, { isCarrier }]) => (isCarrier ? [name] : []));
  }

  async close(): Promise<void> {
    for (const uplink of this.uplinks.values()) void uplink.close();
    for (const host of [...this.#hosts.values(), this.#top]) host?.abandon();
    await this.clock.pass(second);
  }

  #host(log: MemoryLog, server?: string): Host {
    return new Host({
      ...{ log, limits, clock: this.clock, logger: silentLogger },
      ...(server === undefined ? {} : { server }),
      newIncarnation: () => this.#newLife(),
    });
  }

  #join(name: string, host: Host): void {
    const uplink = new GroupUplink({
      ...{ scopes: ["s"], name: "east", parent: "top", server: serverEdge(name) },
      ...{ clock: this.clock, limits, logger: silentLogger, newLife: () => this.#newLife() },
      shards: new Shards([host]),
      connectParent: (edge, handler, onReach) => {
        this.onLink = (isUp) => {
          onReach(isUp);
          handler.onLink?.(isUp);
        };
        this.calls.push(`${name} ${Math.round(this.clock.nowUs() / second)}`);
        const above = this.above.get(name);
        if (above === "refusing") this.#refuse(edge, onReach);
        if (above !== "there" || this.#top === undefined) return nowhere(edge, handler);
        onReach(true);
        return this.#top.connectEdge(edge, handler);
      },
      onJoined: () => this.joins.push(name),
    });
    this.uplinks.set(name, uplink);
  }

  /** As often as the link would call again. */
  #refuse(edge: string, onReach: (isReached: boolean) => void): void {
    this.clock.after(200, () => {
      onReach(true);
      onReach(false);
      this.refusals += 1;
      this.#refuse(edge, onReach);
    });
  }

  #newLife(): number {
    this.#lives += 1;
    return this.#lives;
  }
}

it("is carried by the one that reaches the controller above, and stays there", async () => {
  const group = new Group();
  await group.start(["e3"]);
  await group.clock.pass(2 * second);
  expect(group.carriers).toEqual(["e1"]);
  await group.clock.pass(8 * second);
  expect(group.calls.map((call) => call.split(" ")[0])).toEqual(["e1", "e2", "e3"]);
  expect([group.carriers, group.joins]).toEqual([["e3"], ["e3"]]);
  await group.clock.pass(120 * second);
  expect([group.calls.length, group.carriers, group.joins]).toEqual([3, ["e3"], ["e3"]]);
  await group.close();
});

it("is tried by each in turn while none reaches it, with one at a time", async () => {
  const group = new Group();
  await group.start([]);
  for (let half = 0; half < 240; half += 1) {
    await group.clock.pass(second / 2);
    expect(group.carriers.length).toBeLessThan(2);
  }
  const order = group.calls.map((call) => call.split(" ")[0]);
  const turns = order.filter((name, at) => name !== order[at - 1]);
  expect(turns.slice(0, 6)).toEqual(["e1", "e2", "e3", "e1", "e2", "e3"]);
  // Two of three have it for three seconds, and one for a lease more.
  expect(turns.length).toBeGreaterThan(10);
  expect(turns.length).toBeLessThan(24);
  await group.close();
});

it("is kept by a server that has no other beside it, until there is one", async () => {
  const group = new Group();
  await group.start([], ["e1"]);
  await group.clock.pass(60 * second);
  expect([group.calls.length, group.carriers]).toEqual([1, ["e1"]]);
  await group.add("e2");
  await group.clock.pass(5 * second);
  expect([group.carriers, group.joins]).toEqual([["e2"], ["e2"]]);
  await group.close();
});

it("is let go by one that has lost its way, and not by one whose way is back soon", async () => {
  const group = new Group();
  await group.start(["e1", "e2", "e3"]);
  await group.clock.pass(2 * second);
  expect(group.joins).toEqual(["e1"]);
  group.onLink(false);
  await group.clock.pass(2 * second);
  group.onLink(true);
  await group.clock.pass(10 * second);
  expect([group.carriers, group.joins]).toEqual([["e1"], ["e1"]]);
  group.onLink(false);
  await group.clock.pass(5 * second);
  expect([group.carriers, group.joins]).toEqual([["e2"], ["e1", "e2"]]);
  await group.close();
});

it("is kept by one that is refused, for as long as it is", async () => {
  const group = new Group();
  group.above.set("e1", "refusing");
  await group.start(["e2", "e3"]);
  await group.clock.pass(60 * second);
  expect([group.calls.map((call) => call.split(" ")[0]), group.joins]).toEqual([["e1"], []]);
  expect(group.refusals).toBeGreaterThan(200);
  await group.close();
});
