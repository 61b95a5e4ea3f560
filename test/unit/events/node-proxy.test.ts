// SPDX-License-Identifier: MIT
// Goal: the proxy of a node keeps for its clients what the server's bus promises (P1-P4), and the
// server has one connection of a node. Method: the suite of all buses through a proxy, with the
// connections of clients and proxy cut in turn; many clients and a count; a proxy that is killed.
import { afterEach, describe, expect, it } from "vitest";
import type { RemoteBus } from "../../../src/client/remote-bus.ts";
import { defaultProxyLimits, resolveProxyLimits } from "../../../src/events/proxy-limits.ts";
import { declareBusSuite, numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { PlacedNotification, Subscriber } from "../../../src/wire/event/bus.ts";
import { getInt32, type Notification } from "../../../src/wire/event/notification.ts";
import { ProxyBench, type ProxyBenchOptions } from "./proxy-bench.ts";

describe("a bus through a proxy", () => {
  declareBusSuite(
    {
      create: async (limits) => {
        const bench = await new ProxyBench({ limits }).start();
        const bus = bench.connect();
        return {
          bus,
          turn: () => bench.turn(),
          restart: () => bench.restart(),
          cut: () => bench.cut(),
          dispose: async () => {
            bus.close();
            await bench.close();
          },
        };
      },
      hasConnections: true,
    },
    {
      it: (title, run) => {
        it(title, run);
      },
      equal: (actual, expected) => {
        expect(actual).toEqual(expected);
      },
    },
  );
});

let bench: ProxyBench;
let clients: RemoteBus[] = [];
const endAll = async (): Promise<void> => {
  for (const each of clients) each.close();
  clients = [];
  await bench.close();
};

const open = async (options: ProxyBenchOptions = {}): Promise<void> => {
  bench = await new ProxyBench(options).start();
};

function client(): RemoteBus {
  const bus = bench.connect();
  clients.push(bus);
  return bus;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    if (turns === 30_000) throw new Error(`waited in vain for ${what}`);
    await bench.turn();
  }
}

class Ear implements Subscriber {
  readonly got: Notification[] = [];
  readonly told: string[] = [];
  get numbers(): readonly number[] {
    return this.got.map((notification) => getInt32(notification, "TOKEN") ?? -1);
  }
  onNotifications(items: readonly PlacedNotification[]): void {
    for (const { notification } of items) this.got.push(notification);
  }
  onGap(lost: number): void {
    this.told.push(`gap ${lost}`);
  }
  onEnd(reason: string): void {
    this.told.push(`end ${reason}`);
  }
}

const view = { experiment: "p/e", addresses: ["192.0.2.7"] };
const down = (number: number, address = {}): Notification =>
  numbered(number, { expt: "p/e", ...address });
const up = (number: number, address = {}): Notification =>
  numbered(number, { expt: "p/e", scheduler: 1, ...address });
const live = { address: { scheduler: 0 }, slow: "end" } as const;

describe("the proxy of a node", () => {
  afterEach(endAll);

  it("P1 shows the server one connection, whatever clients come, go and say", async () => {
    await open({ view });
    const ears = Array.from({ length: 60 }, () => new Ear());
    const seen = new Set<number>();
    const buses = ears.map(() => client());
    await Promise.all(buses.map((bus, at) => bus.subscribe(live, ears[at] ?? new Ear())));
    seen.add(bench.connections);
    const scheduler = new Ear();
    await bench.server.memory.subscribe({ ...live, address: { scheduler: 1 } }, scheduler);
    await Promise.all(buses.map((bus, at) => bus.publish(up(at))));
    seen.add(bench.connections);
    for (const bus of buses.slice(0, 30)) bus.close();
    await bench.server.memory.publish(down(99));
    await until("the rest", () => ears.slice(30).every(({ numbers }) => numbers.includes(99)));
    seen.add(bench.connections);
    expect([...seen]).toEqual([1]);
    expect([...scheduler.numbers].sort((a, b) => a - b)).toEqual(ears.map((_, at) => at));
    expect(ears.slice(30).every(({ numbers }) => numbers.length === 1)).toBe(true);
  });

  it("P2 hands down the events of its experiment for all nodes and for itself", async () => {
    await open({ view });
    const ear = new Ear();
    await client().subscribe({ ...live, address: undefined }, ear);
    const { memory } = bench.server;
    await memory.publish(down(1));
    await memory.publish(down(2, { host: "192.0.2.7" }));
    await memory.publish(down(3, { host: "192.0.2.8" }));
    await memory.publish(down(4, { expt: "p/other" }));
    await memory.publish(up(5));
    await memory.publish(down(6));
    await until("the last", () => ear.numbers.includes(6));
    expect(ear.numbers).toEqual([1, 2, 6]);
    expect(ear.got[1]).toEqual(down(2, { host: "192.0.2.7" }));
  });

  it("P4 answers with what the server says: who heard it, and why not", async () => {
    await open({ view });
    const bus = client();
    expect((await bus.publish(up(1))).matched).toBe(0);
    const scheduler = new Ear();
    await bench.server.memory.subscribe({ ...live, address: { scheduler: 1 } }, scheduler);
    expect(await bus.publish(up(2))).toMatchObject({ matched: 1, place: { position: 2 } });
    bench.server.memory.close();
    await expect(bus.publish(up(3))).rejects.toMatchObject({ code: "unavailable" });
  });

  it("P4 while the server is away, says so; what was subscribed to goes on without a gap", async () => {
    await open({ view, retry: { retryMs: 1, retryMsMax: 10, publishWaitMs: 20 } });
    const bus = client();
    const ear = new Ear();
    await bus.subscribe(live, ear);
    await bench.unplug();
    await expect(bus.publish(up(1))).rejects.toMatchObject({ code: "unavailable" });
    await bench.server.memory.publish(down(2));
    await bench.server.memory.publish(down(3));
    await bench.forward();
    await until("both", () => ear.numbers.length === 2);
    expect([ear.numbers, ear.told]).toEqual([[2, 3], []]);
    expect((await bus.publish(up(4))).matched).toBe(0);
  });

  it("P3 killed and started anew, costs its clients nothing", async () => {
    await open({ view });
    const [bus, ear] = [client(), new Ear()];
    await bus.subscribe(live, ear);
    await bench.server.memory.publish(down(1));
    await until("the first", () => ear.numbers.length === 1);
    await bench.killProxy();
    await bench.server.memory.publish(down(2));
    await bench.startProxy();
    await bench.server.memory.publish(down(3));
    await until("the rest", () => ear.numbers.length === 3);
    expect([ear.numbers, ear.told]).toEqual([[1, 2, 3], []]);
  });

  it("P3 tells a gap, once, when the server has lost its memory, and keeps places of the new one", async () => {
    await open({ view });
    const [bus, ear] = [client(), new Ear()];
    const subscribed = await bus.subscribe(live, ear);
    for (const number of [1, 2, 3]) await bench.server.memory.publish(down(number));
    await until("three", () => ear.numbers.length === 3);
    await bench.restart();
    await bench.server.memory.publish(down(4));
    await until("the fourth", () => ear.numbers.length === 4);
    expect(ear.told).toEqual(["gap -1"]);
    expect(subscribed.place).toEqual({ epoch: "e2", position: 1 });
    // The place is worth something: nothing comes twice, and nothing is missing.
    await bench.killProxy();
    await bench.startProxy();
    await bench.server.memory.publish(down(5));
    await until("the fifth", () => ear.numbers.length === 5);
    expect([ear.numbers, ear.told]).toEqual([[1, 2, 3, 4, 5], ["gap -1"]]);
  });

  it("says when the server does not want it", async () => {
    bench = new ProxyBench({ access: { tokens: { rows: () => new Map() } } });
    await bench.start();
    await until("the answer", () => bench.turnedAway !== undefined);
    expect(bench.turnedAway?.message).toContain("token");
  });

  it("takes proxySubscriptionsMax subscriptions of all clients, and no more", async () => {
    const limits = resolveProxyLimits({ proxySubscriptionsMax: 2 });
    await open({ view, proxyLimits: limits });
    const buses = [client(), client(), client()];
    const first = await buses[0]?.subscribe(live, new Ear());
    await buses[1]?.subscribe(live, new Ear());
    await expect(buses[2]?.subscribe(live, new Ear())).rejects.toMatchObject({
      ...{ code: "refused", message: expect.stringContaining("proxySubscriptionsMax (2)") },
    });
    first?.close();
    // The proxy hears of it a moment later.
    for (;;) {
      const again = await buses[2]?.subscribe(live, new Ear()).catch(() => undefined);
      if (again !== undefined) break;
    }
  });

  it("lets proxyPublicationsMax publications wait for the server, and no more", async () => {
    await open({ view, proxyLimits: resolveProxyLimits({ proxyPublicationsMax: 2 }) });
    const bus = client();
    await bus.publish(up(1));
    await bench.unplug();
    const waiting = [bus.publish(up(2)), bus.publish(up(3))];
    await expect(bus.publish(up(4))).rejects.toMatchObject({
      ...{ code: "refused", message: expect.stringContaining("proxyPublicationsMax (2)") },
    });
    await bench.forward();
    const places = (await Promise.all(waiting)).map(({ place }) => place.position);
    expect(places).toEqual([2, 3]);
  });

  it("resolves its limits and refuses values that are none", () => {
    expect(resolveProxyLimits()).toEqual(defaultProxyLimits);
    expect(() => resolveProxyLimits({ proxyPublicationsMax: 0 })).toThrow("proxyPublicationsMax");
  });
});
