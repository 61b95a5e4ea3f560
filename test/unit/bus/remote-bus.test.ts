// SPDX-License-Identifier: MIT
// Goal: a bus over a WebSocket keeps what every bus promises (N1-N4), also over connections that
// are cut. Method: the suite of all buses on loopback; what is this bus's own by hand.
import { afterEach, describe, expect, it } from "vitest";
import { type BusSocket, RemoteBus } from "../../../src/client/remote-bus.ts";
import { newNonce as randomBytes } from "../../../src/host/ids.ts";
import { declareBusSuite, numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { Subscriber } from "../../../src/wire/event/bus.ts";
import { BusDoorBench } from "./bus-bench.ts";

describe("RemoteBus", () => {
  declareBusSuite(
    {
      create: async (limits) => {
        const bench = await new BusDoorBench({ limits }).start();
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

describe("a RemoteBus by hand", () => {
  let bench: BusDoorBench | undefined;
  afterEach(() => bench?.close());
  const deaf: Subscriber = {
    onNotifications: () => undefined,
    onGap: () => undefined,
    onEnd: () => undefined,
  };

  it("B1 sends what was published without a connection when there is one", async () => {
    bench = await new BusDoorBench({}).start();
    const bus = bench.connect();
    bench.cut();
    const { place } = await bus.publish(numbered(1));
    expect(place.position).toBe(1);
    bus.close();
  });

  it("B2 ends with the server's reason when it is turned away", async () => {
    const access = { tokens: { rows: () => new Map() } };
    bench = await new BusDoorBench({ access }).start();
    const bus = bench.connect();
    const everything = { address: undefined, slow: "end" } as const;
    await expect(bus.subscribe(everything, deaf)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("token"),
    });
    await expect(bus.publish(numbered(1))).rejects.toMatchObject({ code: "refused" });
  });

  it("close() rejects what waits and ends subscriptions without a word", async () => {
    bench = await new BusDoorBench({}).start();
    const bus = bench.connect();
    const calls: string[] = [];
    const subscribed = await bus.subscribe(
      { address: undefined, slow: "end" },
      { ...deaf, onEnd: () => calls.push("end") },
    );
    const publishing = bus.publish(numbered(1));
    bus.close();
    await expect(publishing).rejects.toMatchObject({ code: "unavailable" });
    subscribed.close();
    expect(calls).toEqual([]);
  });

  it("B1 sends nothing that was published behind what was not sent in time", async () => {
    const sent: string[] = [];
    const timers: (() => void)[] = [];
    const socket: BusSocket = {
      ...{ onopen: null, onmessage: null, onclose: null, onerror: null },
      send: (text) => sent.push(text),
      close: () => undefined,
    };
    const after = (_delayMs: number, callback: () => void): (() => void) => {
      timers.push(callback);
      return () => undefined;
    };
    const bus = new RemoteBus({
      ...{ open: () => socket, runtime: { nowUs: () => 0, after, randomBytes } },
      ...{ retryMs: 1, retryMsMax: 1, publishWaitMs: 1, publicationsMax: 9 },
    });
    const all = [1, 2, 3].map((number) => bus.publish(numbered(number)));
    // The time of the first is over, that of the others is not; then there is a connection.
    timers[0]?.();
    socket.onopen?.(undefined as never);
    const outcomes = await Promise.allSettled(all);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(sent).toEqual([]);
    bus.close();
  });

  it("S3 asks again from its old place when the connection goes between a move and its gap", async () => {
    const asked: unknown[] = [];
    const calls: string[] = [];
    const sockets: BusSocket[] = [];
    const atOnce = (_delayMs: number, callback: () => void): (() => void) => {
      callback();
      return () => undefined;
    };
    const bus = new RemoteBus({
      open: () => {
        const socket: BusSocket = {
          ...{ onopen: null, onmessage: null, onclose: null, onerror: null },
          send: (text) => asked.push(JSON.parse(text).after),
          close: () => undefined,
        };
        sockets.push(socket);
        return socket;
      },
      runtime: { nowUs: () => 0, after: atOnce, randomBytes },
      ...{ retryMs: 1, retryMsMax: 1, publishWaitMs: 1, publicationsMax: 1 },
    });
    const say = (frame: object): void => {
      const data = JSON.stringify({ id: 1, ...frame });
      sockets.at(-1)?.onmessage?.({ data } as never);
    };
    const [before, later] = [
      { epoch: "e1", position: 7 },
      { epoch: "e2", position: 3 },
    ];
    const begun = bus.subscribe(
      { address: undefined, slow: "end", after: before },
      { ...deaf, onGap: (lost) => calls.push(`gap ${lost}`) },
    );
    sockets.at(-1)?.onopen?.(undefined as never);
    say({ kind: "subscribed", place: later });
    const subscribed = await begun;
    expect(subscribed.place).toEqual(before);
    sockets.at(-1)?.onclose?.({ code: 1006, reason: "" } as never);
    sockets.at(-1)?.onopen?.(undefined as never);
    say({ kind: "subscribed", place: later });
    say({ kind: "gap", lost: -1 });
    expect([asked, calls, subscribed.place]).toEqual([[before, before], ["gap -1"], later]);
    bus.close();
  });
});
