// SPDX-License-Identifier: MIT
// Bounds of the GNUnet doors' own tables and sockets. What a barrier or scope may hold is in
// core/limits.ts; these bound what strangers can make one controller keep.
import { assert } from "../../core/assert.ts";

export interface GnunetBounds {
  /** Open connections of one controller, both doors together; one more is closed at once. */
  readonly gnunetConnectionsMax: number;
  /** The same of one client over TCP, by its address. */
  readonly gnunetConnectionsPerClientMax: number;
  /**
   * Connections of controllers at one address that they may join at; one more is closed. More than
   * those that may join a scope and `strangersMax` (host/link-listener.ts) together.
   */
  readonly gnunetControllersMax: number;
  /** Barriers a driver has open at a time; one more is answered with an error. */
  readonly gnunetBarriersMax: number;
  /** Bytes a client leaves unread before its connection is closed. */
  readonly gnunetUnreadBytesMax: number;
  /** Bytes held for all clients: messages that are not whole, and what is not read. */
  readonly gnunetHeldBytesMax: number;
  /** Asked for; the kernel takes the smaller of it and net.core.somaxconn. */
  readonly gnunetBacklog: number;
}

export const defaultGnunetBounds: GnunetBounds = {
  gnunetConnectionsMax: 100_000,
  gnunetConnectionsPerClientMax: 100_000,
  gnunetControllersMax: 2_048,
  gnunetBarriersMax: 10_000,
  gnunetUnreadBytesMax: 1024 * 1024,
  gnunetHeldBytesMax: 512 * 1024 * 1024,
  gnunetBacklog: 65_535,
};

const tableMax = 16_777_216;

/** What a name may be set to at most: a table of Node has 2^24 entries, a backlog 31 bits. */
const boundMax: GnunetBounds = {
  gnunetConnectionsMax: tableMax,
  gnunetConnectionsPerClientMax: tableMax,
  gnunetControllersMax: tableMax,
  gnunetBarriersMax: tableMax,
  gnunetUnreadBytesMax: 1024 * 1024 * 1024,
  gnunetHeldBytesMax: Number.MAX_SAFE_INTEGER,
  gnunetBacklog: 2_147_483_647,
};

/** Fills in defaults. @throws AssertionError for a value out of range. */
export function resolveGnunetBounds(partial: Partial<GnunetBounds> = {}): GnunetBounds {
  const bounds = { ...defaultGnunetBounds, ...partial };
  for (const name of Object.keys(boundMax) as (keyof GnunetBounds)[]) {
    const value = bounds[name];
    assert(
      Number.isSafeInteger(value) && value > 0 && value <= boundMax[name],
      `limit ${name} must be an integer from 1 to ${boundMax[name]}`,
    );
  }
  return bounds;
}
