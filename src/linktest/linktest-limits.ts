// SPDX-License-Identifier: MIT
// Limits and settings of a linktest, with their units and what they are derived from.

export interface LinktestLimits {
  /**
   * Share of honest networks, whole runs and not directions, in which anything is called bad: of a
   * hundred tests of one that is right, none says otherwise in 95 of 100 cases.
   */
  readonly falseAlarmShare: number;
  /** Share of doubled losses that are found. */
  readonly power: number;
  /** Longest time for the loss probe of one direction, seconds; beyond it is `untestable`. */
  readonly lossSecondsMax: number;
  /** Packets a second of one loss probe: what a sender keeps up with beside others. */
  readonly packetsPerSecondMax: number;
  /** Pairs that are probed at once on one machine, where they share its cores. */
  readonly pairsAtOnceMax: number;
  /** Fastest direction whose rate a probe can fill, bits a second. */
  readonly bandwidthBpsMax: number;
  /** Slowest direction whose rate is judged, bits a second. [LINKTEST 6.5] */
  readonly bandwidthBpsMin: number;
  /** Greatest loss at which the rate is judged. [LINKTEST 6.5] */
  readonly rateLossMax: number;
}

export const linktestLimits: LinktestLimits = {
  falseAlarmShare: 0.0005,
  power: 0.95,
  lossSecondsMax: 60,
  packetsPerSecondMax: 1000,
  pairsAtOnceMax: 4,
  bandwidthBpsMax: 200_000_000,
  bandwidthBpsMin: 64_000,
  rateLossMax: 0.2,
};

/** What a mean may be off without being called wrong, whatever statistics say. [LINKTEST 6] */
export const tolerances: {
  readonly delayLowMs: number;
  readonly delayHighMs: number;
  readonly rateHigh: number;
  readonly rateLow: number;
} = {
  /** One way, milliseconds below and above what is asked for. */
  delayLowMs: 0.5,
  delayHighMs: 3,
  /** Shares of the rate. */
  rateHigh: 0.015,
  rateLow: 0.03,
};

/** Bytes of a frame around what a UDP packet carries: Ethernet, IPv4, UDP. */
export const frameBytes: number = 14 + 20 + 8;
export const lossPayloadBytes = 20;
export const ratePayloadBytes = 1450;

/** To a node that is not beside. */
export const routePings: {
  readonly count: number;
  readonly intervalMs: number;
  readonly waitMs: number;
} = { count: 3, intervalMs: 100, waitMs: 2_000 };
