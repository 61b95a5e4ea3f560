// SPDX-License-Identifier: MIT
// Faults of messages between servers and their log, by the names that people know them by.
import type { FaultRates } from "./script.ts";
import type { WayFaults } from "./shared-log.ts";

export const struckNames = {
  delayMsMax: "slow-log",
  lost: "lose-appends",
  refused: "refuse-appends",
  unacknowledged: "lose-acknowledgements",
  doubled: "double-appends",
} as const;

export function wayFaultsOf(faults: FaultRates): WayFaults {
  return {
    delayMsMax: (faults["slow-log"] ?? 0) > 0 ? 40 : 0,
    lost: faults["lose-appends"] ?? 0,
    refused: faults["refuse-appends"] ?? 0,
    unacknowledged: faults["lose-acknowledgements"] ?? 0,
    doubled: faults["double-appends"] ?? 0,
  };
}
