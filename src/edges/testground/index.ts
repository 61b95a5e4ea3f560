// SPDX-License-Identifier: MIT
// The Testground edge.
export {
  defaultTestgroundBounds,
  resolveTestgroundBounds,
  type TestgroundBounds,
} from "./bounds.ts";
export type { ClientPeer } from "./client.ts";
export {
  type ConfigureNetwork,
  type InstanceEvent,
  type NetworkRequest,
  Testground,
  type TestgroundCounters,
  type TestgroundOptions,
} from "./testground.ts";
