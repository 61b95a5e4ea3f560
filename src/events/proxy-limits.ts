// SPDX-License-Identifier: MIT
// Bounds of a node's proxy, with their units.
import { assert } from "../core/assert.ts";

export interface ProxyLimits {
  /** Subscriptions of all clients of the node, which the server sees on one connection. */
  readonly proxySubscriptionsMax: number;
  /** Publications of all clients of the node that wait for the server. */
  readonly proxyPublicationsMax: number;
}

export const defaultProxyLimits: ProxyLimits = {
  /** What the door of a bus takes on one connection (edges/bus/bounds.ts). */
  proxySubscriptionsMax: 10_000,
  proxyPublicationsMax: 10_000,
};

/** Fills in defaults. @throws AssertionError for a value that is no bound. */
export function resolveProxyLimits(partial: Partial<ProxyLimits> = {}): ProxyLimits {
  const limits = { ...defaultProxyLimits, ...partial };
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  return limits;
}
