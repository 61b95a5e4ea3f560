// SPDX-License-Identifier: MIT
// How a command reaches the bus of events, and what it says of itself there.
import { networkInterfaces } from "node:os";
import type { ConnectedBus } from "../client/event-connection.ts";
import type { EventTime } from "../client/event-time.ts";
import type { ClientRuntime } from "../client/runtime.ts";
import { systemClock } from "../host/clock.ts";
import { newNonce } from "../host/ids.ts";
import { BusError } from "../wire/event/bus.ts";

export interface BusAddress {
  readonly host: string;
  readonly port: number;
}

/** Doors of the bus of experiments and of the testbed's own. [EMULAB-EVENTS 7.2] */
export const eventPorts = { experiments: 2917, testbed: 2927 } as const;

/** @throws BusError: `unavailable` while nobody answers there. */
export function connectEventBus({ host, port }: BusAddress): Promise<ConnectedBus> {
  const message = `a bus of another process cannot be reached yet (NOT_YET), ${host}:${port} neither; put the event into the experiment's file`;
  return Promise.reject(new BusError("refused", message));
}

/** What commands of events need of the world; tests hand in their own. */
export interface EventWorld {
  readonly runtime: ClientRuntime;
  connect(address: BusAddress): Promise<ConnectedBus>;
  /** Microseconds since 1970. */
  wallUs(): bigint;
}

export const eventWorld: EventWorld = {
  runtime: { nowUs: systemClock.nowUs, after: systemClock.after, randomBytes: newNonce },
  connect: connectEventBus,
  wallUs: () => BigInt(systemClock.wallMs()) * 1000n,
};

export function splitTime(us: bigint): EventTime {
  return { seconds: Number(us / 1_000_000n), microseconds: Number(us % 1_000_000n) };
}

/** The address that notifications name as their sender's; it means nothing to Muster. */
export function senderAddress(environment: Readonly<Record<string, string | undefined>>): string {
  const { NODECNETIP: control = "" } = environment;
  if (control !== "") return control;
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return (
    addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1"
  );
}
