// SPDX-License-Identifier: MIT
// Goal: a publication of a session is in its topic once, whatever is cut (Q2, M1), nothing stays
// stored that no topic has (M2), and a subscription gives each message once, in order, however
// often its connection is cut, and no faster than it is taken (U1, U2, F4). Method: the shipped
// client, session endpoint and host under virtual time, WebSockets cut at every message.
import { describe, expect, it } from "vitest";
import type { Session } from "../../../src/client/session.ts";
import type { TopicSubscription } from "../../../src/client/topic-subscription.ts";
import { SessionBench, type SessionBenchOptions } from "./session-bench.ts";

async function start(options: SessionBenchOptions = {}): Promise<SessionBench> {
  const bench = new SessionBench(options);
  await bench.start();
  return bench;
}

/** Lets virtual time pass until the promise is settled. */
async function settle<Result>(bench: SessionBench, promise: Promise<Result>): Promise<Result> {
  let isSettled = false;
  const mark = (): void => {
    isSettled = true;
  };
  promise.then(mark, mark);
  for (let turn = 0; !isSettled; turn += 1) {
    if (turn === 5_000) throw new Error("nothing came of it");
    await bench.clock.pass(10_000);
  }
  return promise;
}

/** All texts of a topic, as the store has them. */
async function stored(bench: SessionBench, topic: string): Promise<readonly string[]> {
  const texts: string[] = [];
  for (;;) {
    const part = { scope: "default", topic, after: texts.length, bytesMax: 1_000_000 };
    const found = await settle(bench, bench.host.topics.read(part));
    if (found.length === 0) return texts;
    texts.push(...found.map((message) => Buffer.from(message).toString()));
  }
}

async function take(subscription: TopicSubscription, count: number): Promise<readonly string[]> {
  const got: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const { value } = await subscription.next();
    got.push(`${value.number} ${JSON.stringify(value.message)}`);
  }
  return got;
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

describe("a topic of a session", () => {
  it("numbers messages for everybody, and gives them from an offset, from the first, from now", async () => {
    const bench = await start();
    const [one, two] = [await bench.session(), await bench.session()];
    const publish = (session: Session, message: unknown) =>
      settle(bench, session.topic("t").publish(message));
    expect(await publish(one, { a: 1 })).toBe(1);
    expect(await publish(two, "zwei ü")).toBe(2);
    const late = two.topic("t").subscribe({ after: "last" });
    await bench.clock.pass(10_000);
    expect(await publish(one, null)).toBe(3);
    const whole = take(one.topic("t").subscribe(), 3);
    expect(await settle(bench, whole)).toEqual(['1 {"a":1}', '2 "zwei ü"', "3 null"]);
    const rest = take(two.topic("t").subscribe({ after: 1 }), 2);
    expect(await settle(bench, rest)).toEqual(['2 "zwei ü"', "3 null"]);
    expect(await settle(bench, take(late, 1))).toEqual(["3 null"]);
    expect(bench.payloads.size).toBe(3);
  });

  it("is not for what JSON cannot say, nor for a message beyond messageBytesMax", async () => {
    const bench = await start({ limits: { messageBytesMax: 10 } });
    const topic = (await bench.session()).topic("t");
    expect(await codeOf(topic.publish(undefined))).toBe("invalid");
    expect(await codeOf(topic.publish(1n))).toBe("invalid");
    expect(await settle(bench, topic.publish("12345678"))).toBe(1);
    expect(await settle(bench, codeOf(topic.publish("123456789")))).toBe("limit");
    expect(await codeOf(topic.publish("x".repeat(4_000_000)))).toBe("limit");
    expect(await settle(bench, topic.publish("again"))).toBe(2);
    expect(bench.payloads.size).toBe(2);
  });

  it("publishes and waits in one exchange, with a signal or without", async () => {
    const bench = await start();
    const session = await bench.session();
    const topic = session.topic("t");
    bench.sent.length = 0;
    const waits = [1, 2].map((at) =>
      topic.publishAndWait(`m${at}`, { state: "s", target: 3, signals: true, name: `p${at}` }),
    );
    const silent = topic.publishAndWait("m3", { state: "s", target: 3 });
    await bench.clock.pass(10_000);
    expect(bench.sent.filter((frame) => frame.includes('"kind":"batch"'))).toHaveLength(1);
    const third = session.stateBarrier("s").signal();
    expect(await settle(bench, Promise.all([...waits, silent, third]))).toEqual([
      { generation: 1, error: 0, number: 1, value: 1 },
      { generation: 1, error: 0, number: 2, value: 2 },
      { generation: 1, error: 0, number: 3, value: 0 },
      3,
    ]);
    expect(await stored(bench, "t")).toEqual(['"m1"', '"m2"', '"m3"']);
  });

  it("publishes and waits not at all when one of both is refused", async () => {
    const bench = await start({ limits: { waitersPerBarrierMax: 1, topicsPerScopeMax: 1 } });
    const session = await bench.session();
    void session.stateBarrier("s").wait(5);
    const both = (topic: string, state: string) =>
      codeOf(session.topic(topic).publishAndWait("m", { state, target: 5, signals: true }));
    expect(await settle(bench, both("t", "s"))).toBe("limit");
    expect(await stored(bench, "t")).toEqual([]);
    expect(await settle(bench, session.topic("u").publish(1))).toBe(1);
    expect(await settle(bench, both("t", "other"))).toBe("limit");
    const [{ state } = {}] = (await settle(bench, session.describe("other"))).barriers;
    expect(state).toBeUndefined();
    expect(bench.payloads.size).toBe(1);
  });
});

describe("publications of a session that is cut", () => {
  const messages = Array.from({ length: 8 }, (_, at) => `message ${at}`);

  async function publishAll(bench: SessionBench, session: Session): Promise<void> {
    const topic = session.topic("t");
    const first = messages.slice(0, 4).map((message) => topic.publish(message));
    await bench.clock.pass(1_000);
    const waits = messages
      .slice(4)
      .map((message) => topic.publishAndWait(message, { state: "s", target: 4, signals: true }));
    const numbers = await settle(bench, Promise.all([...first, ...waits]));
    expect(numbers.slice(0, 4)).toEqual([1, 2, 3, 4]);
    const values = numbers.slice(4).map((each) => (typeof each === "object" ? each.value : 0));
    expect(values).toEqual([1, 2, 3, 4]);
    expect(await stored(bench, "t")).toEqual(messages.map((text) => JSON.stringify(text)));
    // What came again has to be known to have come again; a connection that was cut may be away.
    await bench.clock.pass(10_000_000);
    expect(bench.payloads.size).toBe(messages.length);
    expect(bench.host.publications.size).toBe(0);
  }

  it("M1 are in the topic once when it is cut at any message, while they are being stored", async () => {
    const play = async (cutAfter: number): Promise<SessionBench> => {
      const bench = await start({ storeMsMax: 3, delayMsMax: 2 });
      bench.nextMessagesLeft = cutAfter;
      await publishAll(bench, await bench.session({ leaseMs: 60_000 }));
      return bench;
    };
    const whole = (await play(Number.POSITIVE_INFINITY)).sockets[0]?.carried ?? 0;
    expect(whole).toBeGreaterThan(6);
    for (let at = 1; at < whole; at += 1) await play(at);
  });

  it.each(Array.from({ length: 20 }, (_, at) => at + 1))(
    "M1 M2 are in the topic once with a log that fails, and a server that is killed: seed %d",
    async (seed) => {
      const faults = { appendDelayMsMax: 30, deliveryDelayMsMax: 20, indefiniteFailure: 0.1 };
      const bench = await start({ seed, storeMsMax: 10, delayMsMax: 20, faults });
      const session = await bench.session({ leaseMs: 600_000 });
      let isDone = false;
      const done = publishAll(bench, session).finally(() => {
        isDone = true;
      });
      let cuts = 0;
      for (let turn = 0; !isDone && turn < 100; turn += 1) {
        await bench.clock.pass(1_000 * (1 + bench.random.below(20)));
        if (cuts === 0 || bench.random.chance(0.3)) {
          bench.random.pick(bench.sockets)?.cut();
          cuts += 1;
        } else if (bench.random.chance(0.02)) await bench.restart();
      }
      await done;
      expect(cuts).toBeGreaterThan(0);
    },
  );

  it("M1 are stored once when the log has been given them, however often they come", async () => {
    const bench = await start({ faults: { appendDelayMsMax: 400 } });
    const session = await bench.session({ leaseMs: 60_000 });
    for (let at = 1; at <= 10; at += 1) {
      const published = session.topic("t").publish(at);
      await bench.clock.pass(1_000);
      bench.cutAll();
      expect(await settle(bench, published)).toBe(at);
      await bench.clock.pass(1_000_000);
    }
    expect(bench.payloads.lastId).toBe(10);
  });

  it("M2 leave nothing stored when the session ends before they are in the log", async () => {
    const bench = await start({ faults: { appendDelayMsMax: 200 }, storeMsMax: 50 });
    for (let at = 0; at < 30; at += 1) {
      const session = await bench.session();
      for (let one = 0; one < 3; one += 1)
        session
          .topic("t")
          .publish(one)
          .catch(() => undefined);
      await bench.clock.pass(1_000 * bench.random.below(60));
      session.abandon();
    }
    // Longer than the lease.
    await bench.clock.pass(40_000_000);
    expect(bench.payloads.size).toBe((await stored(bench, "t")).length);
    expect(bench.host.publications.size).toBe(0);
  });
});

describe("a subscription", () => {
  it("U1 gives each message once, in order, when it is cut at any message", async () => {
    const play = async (cutAfter: number): Promise<SessionBench> => {
      const bench = await start({ delayMsMax: 2 });
      const publisher = await bench.session();
      bench.nextMessagesLeft = cutAfter;
      const reader = await bench.session({ leaseMs: 60_000 });
      const subscription = reader.topic("t").subscribe();
      const got = take(subscription, 9);
      for (let at = 1; at <= 9; at += 1) {
        await settle(bench, publisher.topic("t").publish(at));
      }
      expect(await settle(bench, got)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `${n} ${n}`));
      return bench;
    };
    const whole = (await play(Number.POSITIVE_INFINITY)).sockets[1]?.carried ?? 0;
    expect(whole).toBeGreaterThan(15);
    for (let at = 1; at < whole; at += 1) await play(at);
  });

  it("U2 F4 is sent no more than its window beyond what it takes, also when cut; others are not held up", async () => {
    const bench = await start({ bounds: { sessionAheadBytesMax: 1_000 } });
    const session = await bench.session();
    const topic = session.topic("t");
    const slow = topic.subscribe();
    const fast = topic.subscribe();
    const others = take(fast, 100);
    for (let at = 1; at <= 100; at += 1) await settle(bench, topic.publish("x".repeat(100)));
    expect(await settle(bench, others)).toHaveLength(100);
    // Two reads at most are on their way: what a window has room for, and one more.
    const heard = () =>
      bench.toClients.flatMap((text) => {
        const frame = JSON.parse(text);
        return frame.kind === "messages" && frame.id === 1 ? frame.messages : [];
      });
    const before = heard().length;
    expect(before).toBeGreaterThan(4);
    expect(before).toBeLessThan(20);
    for (let cut = 0; cut < 5; cut += 1) {
      bench.cutAll();
      await bench.clock.pass(1_000_000);
    }
    expect(heard()).toHaveLength(before);
    expect(await settle(bench, take(slow, 100))).toHaveLength(100);
  });

  it("ends by its signal, by close, with its scope, and with its session", async () => {
    const bench = await start();
    const session = await bench.session();
    const topic = session.topic("t");
    await settle(bench, topic.publish("first"));
    const gone = new AbortController();
    const [aborted, closed, scoped] = [
      topic.subscribe({ signal: gone.signal }),
      topic.subscribe(),
      topic.subscribe({ after: 1 }),
    ];
    await bench.clock.pass(10_000);
    gone.abort(new Error("enough"));
    // U3. What has come is handed out first.
    expect(await aborted.next()).toMatchObject({ value: { number: 1 } });
    expect(await codeOf(aborted.next())).toBe("enough");
    await closed.close();
    expect(await closed.next()).toEqual({ done: true, value: undefined });
    const link = bench.host.connectEdge("driver", { onEffects: () => undefined });
    link.submit({ kind: "close-scope", scope: "default", error: 0 });
    expect(await settle(bench, codeOf(scoped.next()))).toBe("ended");
    const last = topic.subscribe();
    await bench.clock.pass(10_000);
    await settle(bench, session.close());
    expect(await codeOf(last.next())).toBe("ended");
    expect(await codeOf(Promise.resolve().then(() => topic.subscribe()))).toBe("ended");
  });

  it("is refused behind a message that the topic does not have: it is another topic's", async () => {
    const bench = await start();
    const topic = (await bench.session()).topic("t");
    await settle(bench, topic.publish(1));
    expect(await settle(bench, codeOf(topic.subscribe({ after: 2 }).next()))).toBe("invalid");
    expect(await codeOf(Promise.resolve().then(() => topic.subscribe({ after: -1 })))).toBe(
      "invalid",
    );
  });

  it("sessionSubscriptionsMax: one more is refused, one that is closed makes room", async () => {
    const bench = await start({ bounds: { sessionSubscriptionsMax: 2 } });
    const topic = (await bench.session()).topic("t");
    const first = topic.subscribe();
    const second = topic.subscribe();
    const third = topic.subscribe();
    expect(await settle(bench, codeOf(third.next()))).toBe("limit");
    await first.close();
    const fourth = topic.subscribe();
    await settle(bench, topic.publish("m"));
    const all = Promise.all([take(second, 1), take(fourth, 1)]);
    expect(await settle(bench, all)).toEqual([['1 "m"'], ['1 "m"']]);
  });
});

describe("rights at topics", () => {
  it("are of role participant to publish, of observer to subscribe", async () => {
    const bench = await start({ caller: { role: "observer" } });
    const topic = (await bench.session()).topic("t");
    expect(await codeOf(topic.publish(1))).toBe("forbidden");
    const subscription = topic.subscribe();
    const link = bench.host.connectEdge("other", { onEffects: () => undefined });
    const payload = await bench.host.topics.write(Buffer.from("7"), "default");
    const publish = { kind: "publish", scope: "default", topic: "t", connection: 1 } as const;
    link.submit({ ...publish, payload });
    expect(await settle(bench, take(subscription, 1))).toEqual(["1 7"]);
  });
});
