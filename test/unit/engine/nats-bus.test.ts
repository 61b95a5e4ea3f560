// SPDX-License-Identifier: MIT
// The bus on NATS, with real nats-servers: the suite of every bus at one broker and at a cluster of
// three, with connections that are cut in the midst; several servers of one bus; brokers that are
// killed while everybody publishes. Each bus has a stream of its own.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { NatsBus } from "../../../src/engine/nats-bus.ts";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { newRunId } from "../../../src/host/ids.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import {
  type BusBench,
  type BusSuiteLimits,
  declareBusSuite,
  numbered,
} from "../../../src/testing/suites/bus-suite.ts";
import type { Bus, BusPlace, Subscriber } from "../../../src/wire/event/bus.ts";
import { getInt32 } from "../../../src/wire/event/notification.ts";

let streams = 0;
const turn = (): Promise<void> => sleep(systemClock, 1);

interface OpenOptions {
  readonly limits?: Partial<BusSuiteLimits>;
  readonly replicas?: 1 | 3;
}

function open(
  address: string,
  stream: string,
  { limits = {}, replicas = 1 }: OpenOptions = {},
): Promise<NatsBus> {
  const place = parseNatsPlace(`nats://${address}/${stream}?replicas=${replicas}`);
  return NatsBus.open({
    ...{ place, bus: "ops", clock: systemClock, newEpoch: newRunId },
    limits: resolveBusLimits(limits),
  });
}

function newStream(): string {
  streams += 1;
  return `bus${streams}`;
}

/** A way to a broker whose connections can be cut. */
class Cutter {
  readonly #server = createServer((inner) => this.#join(inner));
  readonly #sockets = new Set<Socket>();
  #port = 0;
  address = "";

  async start(port: number): Promise<this> {
    this.#port = port;
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const bound = this.#server.address();
    if (bound !== null && typeof bound === "object") this.address = `127.0.0.1:${bound.port}`;
    return this;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(inner: Socket): void {
    const outer = connect(this.#port, "127.0.0.1");
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}

async function createBench(server: NatsServer, options: OpenOptions): Promise<BusBench> {
  const cutter = await new Cutter().start(server.port);
  const bench = {
    bus: await open(cutter.address, newStream(), options),
    turn,
    restart: async () => {
      await bench.bus.close();
      bench.bus = await open(cutter.address, newStream(), options);
    },
    cut: () => cutter.cut(),
    dispose: async () => {
      await bench.bus.close();
      cutter.close();
    },
  };
  return bench;
}

const runner = {
  it: (title: string, run: () => Promise<void>): void => {
    it(title, run);
  },
  equal: (actual: unknown, expected: unknown): void => {
    expect(actual).toEqual(expected);
  },
};

describe("NatsBus at one broker", () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start();
  });
  afterAll(() => server.dispose());
  const create = (limits: BusSuiteLimits) => createBench(server, { limits });
  declareBusSuite({ create, hasConnections: true }, runner);
});

/** Keeps the numbers that it hears, and goes on where it was ended. */
class Listener implements Subscriber {
  readonly numbers: number[] = [];
  readonly gaps: number[] = [];
  readonly ends: string[] = [];
  readonly #bus: () => Bus;
  #place: BusPlace | undefined;

  constructor(bus: () => Bus) {
    this.#bus = bus;
  }

  async begin(after?: BusPlace): Promise<BusPlace> {
    const place = after === undefined ? {} : { after };
    const wish = { address: { objname: "o", scheduler: 0 }, slow: "end", ...place } as const;
    const subscribed = await this.#bus().subscribe(wish, this);
    this.#place = subscribed.place;
    return this.#place;
  }

  onNotifications(placed: Parameters<Subscriber["onNotifications"]>[0]): void {
    for (const { notification } of placed) this.numbers.push(getInt32(notification, "TOKEN") ?? -1);
  }

  onGap(lost: number): void {
    this.gaps.push(lost);
  }

  onEnd(reason: string, place: BusPlace): void {
    this.ends.push(reason);
    void this.begin(place).catch(() => undefined);
  }
}

/** Publishes numbers, each until it is acknowledged. */
async function publishSurely(bus: Bus, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; ) {
    const code = await bus.publish(numbered(number)).then(
      () => "none",
      (error: unknown) => (error instanceof Error ? error.message : ""),
    );
    if (code === "none") number += 1;
    else await turn();
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    if (turns === 20_000) throw new Error(`waited in vain for ${what}`);
    await turn();
  }
}

const range = (to: number): readonly number[] => Array.from({ length: to }, (_, n) => n + 1);
const unique = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)];

describe("NatsBus at three brokers", () => {
  let brokers: readonly NatsServer[];
  beforeAll(async () => {
    brokers = await NatsServer.startThree();
  });
  afterAll(() => Promise.all(brokers.map((broker) => broker.dispose())));
  const at = (index: number): string => brokers[index]?.address ?? "";
  const all = (): string => brokers.map(({ address }) => address).join(",");

  it("what is sent at one server is heard at another, which says so", async () => {
    const stream = newStream();
    const [a, b, c] = await Promise.all([0, 1, 2].map((index) => open(at(index), stream)));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three");
    const listener = new Listener(() => b);
    await listener.begin();
    const { matched } = await a.publish(numbered(1));
    expect(matched).toBe(1);
    expect((await c.publish(numbered(2, { objname: "other" }))).matched).toBe(0);
    await until("it", () => listener.numbers.length > 0);
    expect(listener.numbers).toEqual([1]);
    // A place is worth the same at every server.
    const { place } = await c.publish(numbered(3));
    const back = new Listener(() => c);
    await back.begin({ ...place, position: 0 });
    await until("both", () => back.numbers.length === 2);
    expect([back.numbers, back.gaps]).toEqual([[1, 3], []]);
    await Promise.all([a, b, c].map((bus) => bus.close()));
  });

  it("loses nothing that was acknowledged when the leader is killed, again and again", async () => {
    const stream = newStream();
    const options = { replicas: 3 } as const;
    const [a, b] = [await open(all(), stream, options), await open(all(), stream, options)];
    const listener = new Listener(() => b);
    await listener.begin();
    let last = 0;
    for (const broker of [...brokers, brokers[0]]) {
      const publishing = publishSurely(a, last + 1, last + 300);
      await until("some", () => (listener.numbers.at(-1) ?? 0) >= last + 100);
      await broker?.kill();
      await publishing;
      last += 300;
      await broker?.startAgain();
    }
    await until("the last", () => listener.numbers.at(-1) === last);
    expect(unique(listener.numbers).toSorted((x, y) => x - y)).toEqual(range(last));
    expect(listener.gaps).toEqual([]);
    await Promise.all([a.close(), b.close()]);
  });
});
