// SPDX-License-Identifier: MIT
// Bounds and times of a forwarder, with their units.
import { assert } from "../core/assert.ts";

export interface ForwarderLimits {
  /** Connections at once. */
  readonly forwardedConnectionsMax: number;
  /** Connections of one client at once, by its address. */
  readonly forwardedPerClientMax: number;
  /** How long the other side may take to answer a connection. */
  readonly forwardConnectMs: number;
  /** After a connection that was not answered, clients are cut at once for this long. */
  readonly forwardRetryMs: number;
  /** Silence in both directions that ends a connection; doors ask for a sign of life sooner. */
  readonly forwardIdleMs: number;
}

export const defaultForwarderLimits: ForwarderLimits = {
  forwardedConnectionsMax: 4_096,
  forwardedPerClientMax: 256,
  forwardConnectMs: 10_000,
  forwardRetryMs: 1_000,
  forwardIdleMs: 120_000,
};

/** Fills in defaults. @throws AssertionError for values that do not fit together. */
export function resolveForwarderLimits(partial: Partial<ForwarderLimits> = {}): ForwarderLimits {
  const limits = { ...defaultForwarderLimits, ...partial };
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  const { forwardedPerClientMax, forwardedConnectionsMax } = limits;
  assert(forwardedPerClientMax <= forwardedConnectionsMax, "a client is one of all");
  return limits;
}
