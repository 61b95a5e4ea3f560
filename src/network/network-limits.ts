// SPDX-License-Identifier: MIT
/** Limits of shaped links, see docs/reference/limits.md. */
export const networkLimits = {
  /** Bits per second of one direction; below, one full frame takes longer than 12 s. */
  bandwidthBpsMin: 1_000,
  /** What one thread of the delay node carries with full frames is a little below. */
  delayNodeBandwidthBpsMax: 1_000_000_000,
  /** Of any size, that one thread carries: told of links that ask for more, not enforced. */
  delayNodePacketsPerSecond: 65_000,
  netemBandwidthBpsMax: 40_000_000_000,
  /** One way; jitter too. Farther than Mars. */
  delayUsMax: 3_600_000_000,
  /** Bytes of one direction that are on their way: bandwidth times delay. */
  inFlightBytesMax: 67_108_864,
  /** Most that a queue may be asked to hold, in packets, or bytes. */
  queuePacketsMax: 100_000,
  queueBytesMax: 67_108_864,
  /** Members of one LAN. */
  lanMembersMax: 1_000,
  /** Ends of links of one run: each has a number of its own on the wire to the delay node. */
  linkEndsMax: 20_000,
  /** Hardware addresses that a LAN remembers; frames to others go to all its members. */
  lanAddressesMax: 16_384,
  /** Bytes of one file of `muster link capture`, and of one of a trace. */
  captureBytesMax: 1_073_741_824,
  /** Packets on their way to such a file: of one trace, for the disk, and in one piece. */
  tracePendingBytesMax: 16_777_216,
  traceChunkBytes: 65_536,
  /** Traces and captures of one run at a time. */
  tracesMax: 1_000,
  /** Threads of one delay node. */
  delayNodeThreadsMax: 16,
} as const;

export const networkTimes = {
  /** The delay node says how it is as often as that. */
  reportMs: 500,
  /** It is looked at as often as that whether it has said so. */
  lookMs: 1_000,
  /** One that has not is told of after so many looks, and given up after so many. */
  silentLooks: 3,
  givenUpLooks: 15,
  /** Later than this after its time a packet is said to be late. */
  lagWarnUs: 1_000,
  /** How long the delay node may take to start, and to take a change. */
  startMs: 20_000,
  answerMs: 10_000,
  /** And to find out what lies between it and another machine. */
  measureMs: 30_000,
  /** What was traced is on its way to its file so long after. */
  traceMs: 100,
} as const;
