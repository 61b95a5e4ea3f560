// SPDX-License-Identifier: MIT
// The door of the bus: mount `createBusEndpoint` and `createBusRoutes` on an HTTP door.
export { type BusTime, busTime } from "../bus-time.ts";
export { type BusDoorBounds, defaultBusDoorBounds, resolveBusDoorBounds } from "./bounds.ts";
export { createEventDoor, type EventDoorOptions, mountBus } from "./door.ts";
export { type BusDoorOptions, createBusEndpoint } from "./endpoint.ts";
export { createBusRoutes } from "./routes.ts";
