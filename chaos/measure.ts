// SPDX-License-Identifier: MIT
// How long operations took, from histories: with the faults in it, which is what they are for.
import type { Histories } from "./checker/operations.ts";

export interface Latency {
  readonly what: string;
  readonly count: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** By the first letter of a party; those of sessions have none. */
const doors: Readonly<Record<string, string>> = { h: "HTTP", s: "sync server", t: "Testground" };

export function measure({ operations }: Histories): readonly Latency[] {
  const byKind = new Map<string, number[]>();
  for (const { asked, askUs, endUs, code, party } of operations) {
    if (endUs === undefined || code !== "ok") continue;
    const door = doors[/^([a-z])\d/.exec(party)?.[1] ?? ""];
    const what = door === undefined ? asked.kind : `${door}: ${asked.kind}`;
    const times = byKind.get(what);
    if (times === undefined) byKind.set(what, [endUs - askUs]);
    else times.push(endUs - askUs);
  }
  return [...byKind].map(([what, times]) => {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number): number =>
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000;
    return {
      ...{ what, count: sorted.length },
      ...{ p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) },
    };
  });
}
