// SPDX-License-Identifier: MIT
// Goal: a session does not stay where nothing is to be had: it leaves a server whose log is away,
// and one that says nothing, for the next; and what a moment without messages, or without a log,
// interrupts goes on afterwards. Method: the shipped client, session endpoint and host under
// virtual time; the servers that are named are one, so that each has what the other had.
import { describe, expect, it } from "vitest";
import type { MusterError } from "../../../src/client/muster-error.ts";
import { sessionTime } from "../../../src/client/session-time.ts";
import { LogError } from "../../../src/engine/log.ts";
import { logAwayMs } from "../../../src/host/log-watch.ts";
import { SessionBench } from "./session-bench.ts";

const second = 1_000_000;
const urls = ["http://a", "http://b"];

async function open(named: string | readonly string[] = urls) {
  const bench = new SessionBench();
  await bench.start();
  const session = await bench.session({ leaseMs: 120_000 }, named);
  return { bench, session };
}

describe("a session whose server's log is away", () => {
  it("goes on at the next server after a while, and its wait counts once there", async () => {
    const { bench, session } = await open();
    const barrier = session.countBarrier("b");
    const suspended = barrier.wait({ name: "p" }).catch((error: MusterError) => error);
    await bench.clock.pass(10_000);
    bench.faulty.trouble({ definiteFailure: 1 });
    barrier.init(1).catch(() => undefined);
    await bench.clock.pass((logAwayMs + sessionTime.logAwayMs - 200) * 1_000);
    expect(bench.called).toEqual(["a"]);
    await bench.clock.pass(second);
    expect(bench.called).toEqual(["a", "b"]);
    const resumed = barrier.resume((await suspended) as MusterError);
    bench.faulty.calm();
    await bench.clock.pass(5 * second);
    expect(await resumed).toEqual({ generation: 1, error: 0 });
    expect(await bench.arrivals()).toEqual(["b p", "b undefined"]);
  });

  it("stays when it knows of no other", async () => {
    const { bench, session } = await open("http://a");
    bench.faulty.trouble({ definiteFailure: 1 });
    session
      .countBarrier("b")
      .wait()
      .catch(() => undefined);
    await bench.clock.pass(60 * second);
    expect(bench.called).toEqual(["a"]);
  });
});

describe("a session whose server says nothing", () => {
  it("asks for a sign of life when somebody waits, and goes on at the next", async () => {
    const { bench, session } = await open();
    const wait = session.countBarrier("b").wait({ name: "p" });
    await bench.clock.pass(10_000);
    const [socket] = bench.sockets;
    if (socket !== undefined) socket.isMute = true;
    await bench.clock.pass(sessionTime.silenceMs * 3_100);
    expect(bench.called).toEqual(["a", "b"]);
    void session.countBarrier("b").init(1);
    await bench.clock.pass(second);
    expect(await wait).toEqual({ generation: 1, error: 0 });
  });

  it("does so also for one who waits for the server's clock", async () => {
    const { bench, session } = await open();
    await bench.clock.pass(10_000);
    const [socket] = bench.sockets;
    if (socket !== undefined) socket.isMute = true;
    const wait = session.countBarrier("b").wait({ name: "p", together: true });
    await bench.clock.pass(sessionTime.silenceMs * 3_100);
    expect(bench.called).toEqual(["a", "b"]);
    void session.countBarrier("b").init(1);
    await bench.clock.pass(second);
    expect(await wait).toMatchObject({ generation: 1, error: 0 });
  });

  it("leaves one alone that answers, and asks nothing when nobody waits", async () => {
    const { bench, session } = await open();
    await bench.clock.pass(second);
    const before = bench.sent.length;
    await bench.clock.pass(120 * second);
    expect(bench.sent.slice(before)).toEqual([]);
    void session.countBarrier("b").wait();
    await bench.clock.pass(120 * second);
    expect(bench.called).toEqual(["a"]);
    const asked = bench.sent.filter((text) => text.includes('"clock"'));
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.length).toBeLessThan(12);
  });
});

describe("what is interrupted", () => {
  it("is no subscription: it begins again when its messages can be read (U4)", async () => {
    const { bench, session } = await open();
    const topic = session.topic<string>("t");
    for (const text of ["one", "two"]) {
      void topic.publish(text);
      await bench.clock.pass(10_000);
    }
    const read = bench.payloads.read.bind(bench.payloads);
    bench.payloads.read = async () => {
      throw new LogError("away", { definite: false });
    };
    const messages = topic.subscribe();
    const got: unknown[] = [];
    const reading = (async () => {
      for await (const { number, message } of messages) got.push([number, message]);
    })();
    await bench.clock.pass(3 * second);
    expect(got).toEqual([]);
    bench.payloads.read = read;
    await bench.clock.pass(second);
    void topic.publish("three");
    await bench.clock.pass(second);
    expect(got).toEqual([
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ]);
    await messages.close();
    await reading;
  });

  it("is no campaign: resumed, it leads, and others after it", async () => {
    const { bench, session } = await open();
    const election = session.election("e");
    bench.faulty.trouble({ definiteFailure: 1 });
    const suspended = election.campaign().catch((error: MusterError) => error);
    await bench.clock.pass(4 * second);
    const error = (await suspended) as MusterError;
    expect(error).toMatchObject({ code: "unavailable", definite: false });
    const leads = election.resume(error);
    bench.faulty.calm();
    await bench.clock.pass(5 * second);
    const leader = await leads;
    const next = election.campaign();
    await bench.clock.pass(second);
    void leader.resign();
    await bench.clock.pass(second);
    expect([leader.term, (await next).term]).toEqual([1, 2]);
  });
});
