// SPDX-License-Identifier: MIT
// How a command reaches the bus of events, and what it says of itself there.
import { networkInterfaces } from "node:os";
import type { ConnectedBus } from "../client/event-connection.ts";
import type { ClientRuntime } from "../client/runtime.ts";
import { systemClock } from "../host/clock.ts";
import { newNonce } from "../host/ids.ts";
import { BusError } from "../wire/event/bus.ts";

export interface BusAddress {
  readonly host: string;
  readonly port: number;
}

/** @throws BusError: `unavailable` while nobody answers there. */
export function connectEventBus({ host, port }: BusAddress): Promise<ConnectedBus> {
  const message = `a bus of another process cannot be reached yet (NOT_YET), ${host}:${port} neither; put the event into the experiment's file`;
  return Promise.reject(new BusError("refused", message));
}

export const eventRuntime: ClientRuntime = {
  nowUs: systemClock.nowUs,
  after: systemClock.after,
  randomBytes: newNonce,
};

/** Microseconds since 1970. */
export function wallUs(): bigint {
  return BigInt(systemClock.wallMs()) * 1000n;
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
