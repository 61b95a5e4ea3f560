// SPDX-License-Identifier: MIT
// The bus on NATS at one broker, with a real nats-server: the suite of every bus, with connections
// that are cut in the midst; what is kept when the broker is killed; its bounds and refusals.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsSubjectsMax } from "../../../src/engine/nats-bus-limits.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import {
  type BusSuiteLimits,
  declareBusSuite,
  numbered,
} from "../../../src/testing/suites/bus-suite.ts";
import { textAttribute } from "../../../src/wire/event/notification.ts";
import {
  createBench,
  Listener,
  managerOf,
  newStream,
  open,
  publishSurely,
  range,
  runner,
  unique,
  until,
} from "./nats-bus-support.ts";

describe("NatsBus at one broker", () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start();
  });
  afterAll(() => server.dispose());
  const create = (limits: BusSuiteLimits) => createBench(server, { limits });
  declareBusSuite({ create, hasConnections: true }, runner);

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
