// SPDX-License-Identifier: MIT
// An HTTP door with a bus behind it and nothing else: what listens at the ports of events.
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { Bus } from "../../wire/event/bus.ts";
import { type BusTime, busTime } from "../bus-time.ts";
import {
  createHttpDoor,
  type HttpBounds,
  type HttpDoor,
  type HttpDoorOptions,
} from "../http/index.ts";
import { type BusDoorBounds, resolveBusDoorBounds } from "./bounds.ts";
import { createBusEndpoint } from "./endpoint.ts";
import { createBusRoutes } from "./routes.ts";

export interface EventDoorOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly access: HttpDoorOptions["access"];
  readonly tls?: NonNullable<HttpDoorOptions["tls"]>;
  /** Its name as of --listen, for messages. */
  readonly name?: string;
  readonly serverName?: string;
  /** From where one may come; everybody when absent or empty. */
  readonly networks?: NonNullable<HttpDoorOptions["networks"]>;
  /** Edge-local times; tests shorten them. */
  readonly time?: BusTime;
  readonly bounds?: Partial<HttpBounds>;
  readonly busBounds?: Partial<BusDoorBounds>;
}

/** Close it before the bus: clients then come back to the bus that follows, with their places. */
export function createEventDoor(options: EventDoorOptions): HttpDoor {
  const { clock, logger, access, tls, bounds = {}, name = "events", networks = [] } = options;
  const { serverName = "muster" } = options;
  const secured = tls === undefined ? {} : { tls };
  const shared = { clock, logger, access, bounds, name, serverName, networks };
  const door = createHttpDoor({ ...shared, ...secured });
  mountBus(door, options);
  return door;
}

/** Adds a bus to a door that has more behind it. */
export function mountBus(
  door: HttpDoor,
  {
    bus,
    clock,
    time = busTime,
    busBounds,
  }: Pick<EventDoorOptions, "bus" | "clock" | "time" | "busBounds">,
): void {
  const options = { bus, clock, time, bounds: resolveBusDoorBounds(busBounds) };
  door.socket(createBusEndpoint(options));
  for (const route of createBusRoutes(options)) door.route(route);
}
