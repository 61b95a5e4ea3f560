// SPDX-License-Identifier: MIT
// What tests of the bus on NATS have in common: buses with streams of their own, a listener that
// goes on where it was ended, and waiting for what is expected.
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { NatsBus } from "../../../src/engine/nats-bus.ts";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { newRunId } from "../../../src/host/ids.ts";
import type { NatsServer } from "../../../src/testing/nats-server.ts";
import {
  type BusBench,
  type BusSuiteLimits,
  numbered,
} from "../../../src/testing/suites/bus-suite.ts";
import type { Bus, BusPlace, Subscriber } from "../../../src/wire/event/bus.ts";
import { getInt32 } from "../../../src/wire/event/notification.ts";
import { Cutter } from "./cutter.ts";

let streams = 0;
export const turn = (): Promise<void> => sleep(systemClock, 1);

export interface OpenOptions {
  readonly limits?: Partial<BusSuiteLimits>;
  readonly replicas?: 1 | 3;
}

export function open(
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

export function newStream(): string {
  streams += 1;
  return `bus${streams}`;
}

export async function createBench(server: NatsServer, options: OpenOptions): Promise<BusBench> {
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

export const runner = {
  it: (title: string, run: () => Promise<void>): void => {
    it(title, run);
  },
  equal: (actual: unknown, expected: unknown): void => {
    expect(actual).toEqual(expected);
  },
};

/** Keeps the numbers that it hears, and goes on where it was ended. */
export class Listener implements Subscriber {
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
export async function publishSurely(bus: Bus, from: number, to: number): Promise<void> {
  for (let number = from; number <= to; ) {
    const code = await bus.publish(numbered(number)).then(
      () => "none",
      (error: unknown) => (error instanceof Error ? error.message : ""),
    );
    if (code === "none") number += 1;
    else await turn();
  }
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    if (turns === 20_000) throw new Error(`waited in vain for ${what}`);
    await turn();
  }
}

export const range = (to: number): readonly number[] => Array.from({ length: to }, (_, n) => n + 1);
export const unique = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)];

export async function managerOf(server: NatsServer) {
  const connection = await connectNats({ servers: server.address });
  return { connection, streams: (await jetstreamManager(connection)).streams };
}
