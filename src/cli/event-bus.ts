// SPDX-License-Identifier: MIT
// How a command reaches the bus of events, and what it says of itself there.
import { networkInterfaces } from "node:os";
import { eventPorts, hostOf, resolveEventAddress } from "../client/event-address.ts";
import type { ConnectedBus } from "../client/event-connection.ts";
import type { EventTime } from "../client/event-time.ts";
import type { ClientRuntime } from "../client/runtime.ts";
import { systemClock } from "../host/clock.ts";
import { newNonce } from "../host/ids.ts";
import { BusError } from "../wire/event/bus.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";

/** @throws BusError: `unavailable` while nobody answers there. */
export function connectEventBus(url: string): Promise<ConnectedBus> {
  const message = `a bus of another process cannot be reached yet (NOT_YET), ${hostOf(url)} neither; put the event into the experiment's file`;
  return Promise.reject(new BusError("refused", message));
}

/** What commands of events need of the world; tests hand in their own. */
export interface EventWorld {
  readonly runtime: ClientRuntime;
  /** @param url as of `resolveEventAddress`. @throws BusError */
  connect(url: string): Promise<ConnectedBus>;
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

/** Where a command of `muster` finds the bus. @throws CommandError for what is no address. */
export function eventAddress(server: string | undefined): string {
  const url = resolveEventAddress(
    { server, port: undefined },
    {
      environment: process.env["MUSTER_EVENTS"],
      server: "localhost",
      port: eventPorts.experiments,
    },
  );
  if (url !== undefined) return url;
  const message = "--server or MUSTER_EVENTS is no host and no URL; give HOST, HOST:PORT";
  throw new CommandError(exitCodes.usage, message);
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
