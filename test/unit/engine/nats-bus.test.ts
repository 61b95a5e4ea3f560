// SPDX-License-Identifier: MIT
// The bus on NATS, with real nats-servers: the suite of every bus at one broker and at a cluster of
// three, with connections that are cut in the midst; several servers of one bus; brokers that are
// killed while everybody publishes. Each bus has a stream of its own.

import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { NatsBus } from "../../../src/engine/nats-bus.ts";
import { natsSubjectsMax } from "../../../src/engine/nats-bus-limits.ts";
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
import { getInt32, textAttribute } from "../../../src/wire/event/notification.ts";
import { Cutter } from "./cutter.ts";

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

  async begin(after?: BusPlace, objname = "o"): Promise<BusPlace> {
    const place = after === undefined ? {} : { after };
    const wish = { address: { objname, scheduler: 0 }, slow: "end", ...place } as const;
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

describe("NatsBus at one broker", () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start();
  });
  afterAll(() => server.dispose());
  const create = (limits: BusSuiteLimits) => createBench(server, { limits });
  declareBusSuite({ create, hasConnections: true }, runner);

  it("F3 finds what was stored and never said, and has a subscriber come back for it", async () => {
    const [cutter, stream] = [await new Cutter().start(server.port), newStream()];
    const [a, b] = [await open(server.address, stream), await open(cutter.address, stream)];
    const [listener, late] = [new Listener(() => b), new Listener(() => b)];
    await listener.begin();
    await late.begin(undefined, "late");
    await a.publish(numbered(1));
    await until("the first", () => listener.numbers.length === 1);
    cutter.isDeaf = true;
    await a.publish(numbered(2));
    await a.publish(numbered(3, { objname: "late" }));
    // Whatever was lost has been lost when this answer has come the same way.
    expect((await b.publish(numbered(4, { objname: "nobody" }))).matched).toBe(0);
    cutter.isDeaf = false;
    await a.publish(numbered(5));
    await until("what was said", () => listener.numbers.length === 2);
    expect([listener.numbers, late.numbers]).toEqual([[1, 5], []]);
    cutter.cut();
    await until("the rest", () => listener.numbers.length === 4 && late.numbers.length === 1);
    // The one was past it already; the other had its place before it.
    expect([listener.numbers, late.numbers]).toEqual([[1, 5, 2, 5], [3]]);
    expect(listener.ends).toEqual([expect.stringContaining("come back for it")]);
    expect([listener.gaps, late.gaps, late.ends]).toEqual([[], [], []]);
    await Promise.all([a.close(), b.close()]);
    cutter.close();
  });

  it("F4 tells a gap when the stream has forgotten what came during a cut", async () => {
    const [cutter, stream] = [await new Cutter().start(server.port), newStream()];
    const limits = { ringNotificationsMax: 8, queueNotificationsMax: 8 };
    const a = await open(server.address, stream, { limits });
    const b = await open(cutter.address, stream, { limits });
    const listener = new Listener(() => b);
    await listener.begin();
    await a.publish(numbered(1));
    await until("the first", () => listener.numbers.length === 1);
    cutter.isOpen = false;
    cutter.cut();
    for (const number of range(12)) await a.publish(numbered(100 + number));
    cutter.isOpen = true;
    await until("the last", () => listener.numbers.at(-1) === 112);
    expect(listener.numbers).toEqual([1, ...range(8).map((number) => 104 + number)]);
    expect([listener.gaps, listener.ends]).toEqual([[-1], []]);
    await Promise.all([a.close(), b.close()]);
    cutter.close();
  });

  it("ends everybody, with a gap for who comes back, when the stream was made anew", async () => {
    const bus = await open(server.address, newStream());
    const listener = new Listener(() => bus);
    const { epoch } = await listener.begin();
    await bus.publish(numbered(1));
    await until("it", () => listener.numbers.length === 1);
    const { connection, streams } = await managerOf(server);
    await streams.delete(bus.stream);
    await until("the end", () => listener.gaps.length > 0);
    expect([listener.gaps, listener.ends]).toEqual([[-1], [expect.stringContaining("anew")]]);
    expect((await bus.publish(numbered(2))).place.epoch).not.toBe(epoch);
    await until("what is new", () => listener.numbers.length === 2);
    await Promise.all([bus.close(), connection.close()]);
  });

  it("keeps what it has acknowledged when the broker is killed", async () => {
    const broker = await NatsServer.start();
    const [a, b] = [await open(broker.address, "s"), await open(broker.address, "s")];
    const listener = new Listener(() => b);
    await listener.begin();
    const publishing = publishSurely(a, 1, 300);
    await until("some", () => listener.numbers.length > 100);
    await broker.kill();
    // Who comes meanwhile waits a while, and is told.
    const late = b.subscribe({ address: undefined, slow: "end" }, new Listener(() => b));
    await expect(late).rejects.toMatchObject({ code: "unavailable" });
    await broker.startAgain();
    await publishing;
    await until("the last", () => listener.numbers.at(-1) === 300);
    expect(unique(listener.numbers)).toEqual(range(300));
    expect([listener.gaps, listener.ends]).toEqual([[], []]);
    await Promise.all([a.close(), b.close()]);
    await broker.dispose();
  });

  it("listens to as many subjects as the limit, and more widely beyond", async () => {
    const bus = await open(server.address, newStream());
    const names = (from: number): string =>
      range(64)
        .map((n) => `n${from + n}`)
        .join();
    const hears = async (objname: string): Promise<Listener> => {
      const listener = new Listener(() => bus);
      await bus.subscribe({ address: { objname, scheduler: 0 }, slow: "end" }, listener);
      return listener;
    };
    const full = natsSubjectsMax / 64;
    const early = await Promise.all(range(full).map((n) => hears(names(n * 64))));
    expect(bus.subjectCount).toBe(natsSubjectsMax);
    const listener = await hears("wide,wider");
    expect(bus.subjectCount).toBe(natsSubjectsMax + 1);
    await bus.publish(numbered(1, { objname: "wider" }));
    await bus.publish(numbered(2, { objname: "n65" }));
    await until("both", () => listener.numbers.length + (early[0]?.numbers.length ?? 0) === 2);
    expect([listener.numbers, early[0]?.numbers]).toEqual([[1], [2]]);
    await bus.close();
  });

  it("says what is wrong: a stream of others, or of a newer Muster, or one that was changed", async () => {
    const { connection, streams } = await managerOf(server);
    const messageOf = async (description: string, more: object): Promise<string> => {
      const stream = newStream();
      const subjects = [`muster.${stream}.ops.sent.>`];
      await streams.add({ name: `${stream}-ops`, subjects, description, ...more });
      return open(server.address, stream).then(() => "none", String);
    };
    expect(await messageOf("orders", {})).toContain("is not a Muster bus ('orders')");
    expect(await messageOf("a Muster bus, format 9, epoch x", {})).toContain("a newer Muster");
    expect(await messageOf("a Muster bus, format 1, epoch x", {})).toContain("was changed");
    const bus = await open(server.address, newStream());
    const control = { attributes: [textAttribute("a", "\u0001".repeat(200_000))] };
    await expect(bus.publish(control)).rejects.toMatchObject({
      ...{ code: "too-large", message: expect.stringContaining("max_payload") },
    });
    await Promise.all([bus.close(), connection.close()]);
  });
});

async function managerOf(server: NatsServer) {
  const connection = await connectNats({ servers: server.address });
  return { connection, streams: (await jetstreamManager(connection)).streams };
}

describe("NatsBus at three brokers", () => {
  let brokers: readonly NatsServer[];
  beforeAll(async () => {
    brokers = await NatsServer.startThree();
  });
  afterAll(() => Promise.all(brokers.map((broker) => broker.dispose())));
  const create = (limits: BusSuiteLimits) => {
    const [first] = brokers;
    if (first === undefined) throw new Error("there are three");
    return createBench(first, { limits, replicas: 3 });
  };
  declareBusSuite({ create, hasConnections: true }, runner);
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

  it("loses nothing that was acknowledged when leaders are killed and stand still", async () => {
    const stream = newStream();
    const options = { replicas: 3 } as const;
    const [a, b] = [await open(all(), stream, options), await open(all(), stream, options)];
    const { connection, streams } = await managerOf(brokers[0] as NatsServer);
    const leader = async (): Promise<NatsServer> => {
      const { cluster } = await streams.info(a.stream);
      const broker = brokers[Number(cluster?.leader?.slice(1))];
      if (broker === undefined) throw new Error("no leader");
      return broker;
    };
    const killed = await leader();
    const listener = new Listener(() => b);
    await listener.begin();
    const publish = async (from: number, disturb: () => Promise<void> | void): Promise<void> => {
      const publishing = publishSurely(a, from, from + 299);
      await until("some", () => (listener.numbers.at(-1) ?? 0) >= from + 99);
      await disturb();
      await publishing;
    };
    await publish(1, () => killed.kill());
    await killed.startAgain();
    const still = await leader();
    // Who listens at it has its own connection, and hears from it again when it goes on.
    const c = await open(still.address, stream, options);
    const ear = new Listener(() => c);
    await ear.begin();
    await publish(301, () => still.signal("SIGSTOP"));
    still.signal("SIGCONT");
    await until("the last", () => [listener, ear].every(({ numbers }) => numbers.at(-1) === 600));
    const sorted = ({ numbers }: Listener) => unique(numbers).toSorted((x, y) => x - y);
    expect(sorted(listener)).toEqual(range(600));
    expect(sorted(ear)).toEqual(range(600).slice(300));
    expect([listener.gaps, ear.gaps]).toEqual([[], []]);
    await Promise.all([a.close(), b.close(), c.close(), connection.close()]);
  });
});
