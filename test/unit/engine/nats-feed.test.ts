// SPDX-License-Identifier: MIT
// Goal: what a broker loses on its way to a server of a bus is found and had, or told. Method: a
// real nats-server, and a way to it that swallows what the test says, or is cut.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";
import { Cutter } from "./cutter.ts";
import { Listener, managerOf, newStream, open, range, until } from "./nats-bus-support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server.dispose());

describe("NatsBus", () => {
  it("F3 finds what was stored and never said, and has a subscriber come back for it", async () => {
    const [cutter, stream] = [await new Cutter().start(server.port), newStream()];
    const [a, b] = [await open(server.address, stream), await open(cutter.address, stream)];
    const [listener, late] = [new Listener(() => b), new Listener(() => b)];
    await listener.begin();
    await late.begin(undefined, "late");
    await a.publish(numbered(1));
    await until("the first", () => listener.numbers.length === 1);
    cutter.swallows = isSaidAgain;
    await a.publish(numbered(2));
    await a.publish(numbered(3, { objname: "late" }));
    // Whatever was lost has been lost when this answer has come the same way.
    expect((await b.publish(numbered(4, { objname: "nobody" }))).matched).toBe(0);
    cutter.swallows = () => false;
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

  it("R1 reads again what was torn out of the midst of a batch", async () => {
    const [cutter, stream] = [await new Cutter().start(server.port), newStream()];
    const [a, b] = [await open(server.address, stream), await open(cutter.address, stream)];
    for (const number of range(10)) await a.publish(numbered(number));
    let stored = 0;
    cutter.swallows = (line) => {
      if (line.includes(" $JS.ACK.")) stored += 1;
      return line.includes(" $JS.ACK.") && stored === 3;
    };
    const listener = new Listener(() => b);
    const { epoch } = (await a.publish(numbered(11))).place;
    await listener.begin({ epoch, position: 0 });
    await until("all", () => listener.numbers.at(-1) === 11);
    expect([listener.numbers, listener.gaps, listener.ends]).toEqual([range(11), [], []]);
    expect(stored).toBeGreaterThan(11);
    await Promise.all([a.close(), b.close()]);
    cutter.close();
  });

  it("P3 keeps what it has read when the stream does not say where it stands", async () => {
    const [cutter, stream] = [await new Cutter().start(server.port), newStream()];
    const [a, b] = [await open(server.address, stream), await open(cutter.address, stream)];
    for (const number of range(10)) await a.publish(numbered(number));
    // Two questions are open behind the batch: that of its reader, and that which is asked always.
    let [hasRead, swallowed] = [false, 0];
    cutter.swallows = (line, frame) => {
      hasRead ||= line.includes(" $JS.ACK.");
      const isLost = hasRead && swallowed < 2 && frame.includes("stream_info_response");
      if (isLost) swallowed += 1;
      return isLost;
    };
    const listener = new Listener(() => b);
    const { epoch } = (await a.publish(numbered(11))).place;
    await listener.begin({ epoch, position: 0 });
    await until("all", () => listener.numbers.at(-1) === 11);
    expect([listener.numbers, listener.gaps, listener.ends]).toEqual([range(11), [], []]);
    expect(swallowed).toBe(2);
    await Promise.all([a.close(), b.close()]);
    cutter.close();
  });
});

/** What a stream says when it has stored something. */
function isSaidAgain(line: string): boolean {
  return /^HMSG \S+\.heard\./.test(line);
}
