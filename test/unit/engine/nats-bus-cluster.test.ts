// SPDX-License-Identifier: MIT
// The bus on NATS at a cluster of three real nats-servers that keep three copies: several servers
// of one bus, and leaders that are killed while everybody publishes. The suite of
// every bus is played at one broker (nats-bus.test.ts).
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";
import {
  Listener,
  managerOf,
  newStream,
  open,
  publishSurely,
  range,
  unique,
  until,
} from "./nats-bus-support.ts";

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

  // Killed: NATS 2.9 loses by itself what a leader acknowledges that was stopped, and goes on
  // (chaos/README.md).
  it("loses nothing that was acknowledged when one leader after the other is killed", async () => {
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
    // One listens wherever it can, and one at each broker alone: also at those that are disturbed.
    const buses = await Promise.all([0, 1, 2].map((index) => open(at(index), stream, options)));
    const listeners = [b, ...buses].map((bus) => new Listener(() => bus));
    for (const listener of listeners) await listener.begin();
    const publish = async (from: number, disturb: () => Promise<void> | void): Promise<void> => {
      const publishing = publishSurely(a, from, from + 299);
      await until("some", () => (listeners[0]?.numbers.at(-1) ?? 0) >= from + 99);
      await disturb();
      await publishing;
    };
    for (const from of [1, 301]) {
      const killed = await leader();
      await publish(from, () => killed.kill());
      await killed.startAgain();
    }
    await until("the last", () => listeners.every(({ numbers }) => numbers.at(-1) === 600));
    for (const { numbers, gaps } of listeners) {
      expect(unique(numbers).toSorted((x, y) => x - y)).toEqual(range(600));
      expect(gaps).toEqual([]);
    }
    await Promise.all([a, b, ...buses].map((bus) => bus.close()));
    await connection.close();
  });
});
