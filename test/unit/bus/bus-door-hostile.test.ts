// SPDX-License-Identifier: MIT
// Goal: a client that does not read, or that plays with its numbers, costs the door of the bus what
// its bounds say, harms nobody else, and leaves nothing behind. Method: connections without a
// network, with a bus and a socket that the test plays.
import { describe, expect, it } from "vitest";
import { createBusEndpoint, defaultBusDoorBounds } from "../../../src/edges/bus/index.ts";
import type { DoorSocket, SocketHandler } from "../../../src/edges/http/index.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";
import type { Bus } from "../../../src/wire/event/bus.ts";
import { BusError } from "../../../src/wire/event/bus.ts";
import type { BusClientFrame } from "../../../src/wire/event/bus-frames.ts";
import { formatClientFrame } from "../../../src/wire/event/bus-frames.ts";

const caller = { role: "driver", token: "open", address: "127.0.0.1:1", account: "open" } as const;

/** A peer that takes what the test says it takes. */
class PlayedSocket implements DoorSocket {
  readonly sent: string[] = [];
  isOpen = true;
  isReading = true;
  queuedBytes = 0;

  send(message: string | Uint8Array): void {
    this.sent.push(String(message));
    this.queuedBytes += message.length;
  }

  setReading(isReading: boolean): void {
    this.isReading = isReading;
  }

  end(): void {
    this.isOpen = false;
  }

  destroy(): void {
    this.isOpen = false;
  }
}

function open(bus: Bus, busQueueBytesMax: number) {
  const socket = new PlayedSocket();
  const bounds = { ...defaultBusDoorBounds, busQueueBytesMax };
  const endpoint = createBusEndpoint({
    bus,
    clock: systemClock,
    bounds,
    time: { placeMs: 60_000 },
  });
  const handler: SocketHandler = endpoint.open(socket, caller, new URLSearchParams());
  const say = (frame: BusClientFrame): void => handler.onMessage(formatClientFrame(frame));
  const take = (): void => {
    socket.queuedBytes = 0;
    handler.onSent?.();
  };
  return { socket, handler, say, take };
}

const subscribe = (id: number) =>
  ({ kind: "subscribe", id, address: null, after: null, slow: "drop-oldest" }) as const;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const newBus = (): MemoryBus => new MemoryBus({ epoch: "e1", limits: resolveBusLimits() });

describe("a client that does not read", () => {
  it("is not read, and is read again when it has", async () => {
    const { socket, handler, say, take } = open(newBus(), 100);
    for (const id of [1, 2, 3]) say(subscribe(id));
    await turn();
    expect(socket.isReading).toBe(false);
    take();
    expect(socket.isReading).toBe(true);
    handler.onClosed();
  });

  it("W4 costs its bound and one delivery, however many subscriptions it has", async () => {
    const bus = newBus();
    const { socket, handler, say, take } = open(bus, 1_000);
    for (let id = 1; id <= 100; id += 1) say(subscribe(id));
    await turn();
    take();
    socket.sent.length = 0;
    await bus.publish(numbered(1));
    await turn();
    const [first = ""] = socket.sent;
    expect(socket.queuedBytes).toBeLessThanOrEqual(1_000 + first.length);
    expect(socket.sent.length).toBeLessThan(20);
    // What was kept back comes, once for each, as it reads.
    while (socket.queuedBytes > 0) {
      take();
      await turn();
    }
    const ids = socket.sent.map((text) => (JSON.parse(text) as { id: number }).id);
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    handler.onClosed();
  });

  it("is told an end before what was kept back of it, and comes back for that", async () => {
    const bus = newBus();
    const { socket, handler, say, take } = open(bus, 50);
    await bus.publish(numbered(1));
    say(subscribe(1));
    await turn();
    await bus.publish(numbered(2));
    await turn();
    bus.close();
    await turn();
    while (socket.queuedBytes > 0) {
      take();
      await turn();
    }
    const said = socket.sent.map((text) => JSON.parse(text) as object);
    expect(said).toEqual([
      { kind: "subscribed", id: 1, place: { epoch: "e1", position: 1 } },
      expect.objectContaining({ kind: "ended", place: { epoch: "e1", position: 1 } }),
    ]);
    handler.onClosed();
  });
});

describe("a client that uses a number again", () => {
  it("before its subscription was refused leaves none behind when it goes", async () => {
    const subscribed = { place: { epoch: "e", position: 0 }, closed: 0 };
    const answers: PromiseWithResolvers<void>[] = [];
    const bus: Bus = {
      publish: () => Promise.reject(new BusError("unavailable", "not in this test")),
      async subscribe() {
        const answer = Promise.withResolvers<void>();
        answers.push(answer);
        await answer.promise;
        return {
          place: subscribed.place,
          close() {
            subscribed.closed += 1;
          },
        };
      },
    };
    const { handler, say } = open(bus, 1_000_000);
    say(subscribe(1));
    say({ kind: "unsubscribe", id: 1 });
    say(subscribe(1));
    answers[1]?.resolve();
    await turn();
    answers[0]?.reject(new BusError("refused", "too many"));
    await turn();
    handler.onClosed();
    expect(subscribed.closed).toBe(1);
  });
});
