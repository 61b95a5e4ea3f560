// SPDX-License-Identifier: MIT
/** Limits of traffic generators, see docs/reference/limits.md. */
export const trafficLimits = {
  /** Bytes of one packet: what UDP carries over IPv4. */
  packetBytesMax: 65_507,
  /** [EMULAB-EVENTS 6 INTERVAL] */
  intervalSecondsMax: 86_400,
  /**
   * Microseconds between packets: shorter than anything can send, and still a number to count by.
   */
  intervalUsMin: 1,
  /** A packet that cannot be sent this long after its time is lost in the generator (D8). */
  lateUsMax: 100_000,
  /** Packets of one flow that are sent before others have their turn. */
  batchPacketsMax: 256,
  /** Bytes of a TCP flow that wait to be sent; more are lost in the generator. */
  queueBytesMax: 262_144,
  /** Flows of one run. */
  flowsMax: 1_000,
} as const;

export const trafficTime = {
  /** How long after the start of time a source on its own connects. [EMULAB-EVENTS 6] */
  sourceSetUpMs: 500,
} as const;
