// SPDX-License-Identifier: MIT
// Names of the barriers that probes of a linktest meet at. They are in the scope of the experiment,
// because their server is its own, and no barriers of the experiment: its result leaves them out.

const prefix = "muster.linktest.";

/** @param pair of the pass */
export function probeBarrier(session: number, pass: number, pair: number): string {
  return `${prefix}${session}.${pass}.${pair}`;
}

export function isProbeBarrier(name: string): boolean {
  return name.startsWith(prefix);
}
