// SPDX-License-Identifier: MIT
// What `npm run chaos` may be told, its defaults, and what is wrong with it.
import { resolve } from "node:path";
import { bareFaults, type FaultName, faultNames, standardFaults } from "./faults.ts";

export interface ChaosOptions {
  /** For how long faults are injected, seconds; the quiet end comes on top. */
  readonly seconds: number;
  readonly seed: number;
  readonly faults: readonly FaultName[];
  /** Muster servers; of NATS there are three. */
  readonly servers: number;
  /** Groups of parties that go from barrier to barrier, one party for each server. */
  readonly lanes: number;
  /** Operations a second that the load aims at. */
  readonly rate: number;
  /** The built program that is tried. */
  readonly dist: string;
  /** Where the report goes; to standard output when absent. */
  readonly report: string | undefined;
  /** Leaves histories, logs and the record there. */
  readonly keep: string | undefined;
  /** The brokers alone, with writers and readers of NATS' own client. */
  readonly isBare: boolean;
}

export const usage = `usage: npm run chaos -- [--minutes M] [--seed N] [--faults LIST] [--servers N]
    [--lanes N] [--rate OPERATIONS-A-SECOND] [--report FILE] [--keep DIR] [--dist DIR] [--bare]
faults: ${faultNames.join(", ")};
    unless named, without those by which a broker is silent and comes back as it was (stop-leader,
    cut-leader, stop-broker, cut-broker), after which NATS 2.9 loses entries by itself; 'all': with
    them; none with --faults none
`;

/** @throws Error with what is wrong. */
export function parseOptions(words: readonly string[], root: string): ChaosOptions {
  const isBare = words.includes("--bare");
  const args = words.filter((word) => word !== "--bare");
  const given = new Map<string, string>();
  const known = "minutes seed faults servers lanes rate report keep dist".split(" ");
  for (let index = 0; index < args.length; index += 2) {
    const [option = "", value] = [args[index], args[index + 1]];
    if (!option.startsWith("--") || !known.includes(option.slice(2)) || value === undefined) {
      throw new Error(`'${option}' is not one of the options, with a value behind it`);
    }
    const name = option.slice(2);
    const before = name === "faults" ? given.get(name) : undefined;
    given.set(name, before === undefined ? value : `${before},${value}`);
  }
  const number = (name: string, standard: number, least: number, most: number): number => {
    const value = Number(given.get(name) ?? standard);
    if (value >= least && value <= most) return value;
    throw new Error(`--${name} is a number from ${least} to ${most}, not '${given.get(name)}'`);
  };
  const whole = (name: string, standard: number, least: number, most: number): number =>
    Math.trunc(number(name, standard, least, most));
  const path = (name: string): string | undefined => {
    const value = given.get(name);
    return value === undefined ? undefined : resolve(value);
  };
  return {
    seconds: number("minutes", 3, 0.1, 10_000) * 60,
    seed: whole("seed", 1, 0, 0xffffffff),
    faults: parseFaults(given.get("faults"), isBare),
    servers: whole("servers", 3, 2, 9),
    lanes: whole("lanes", 24, 1, 500),
    rate: number("rate", 800, 1, 100_000),
    dist: path("dist") ?? resolve(root, "dist"),
    report: path("report"),
    keep: path("keep"),
    isBare,
  };
}

function parseFaults(list: string | undefined, isBare: boolean): readonly FaultName[] {
  const all = isBare ? bareFaults : faultNames;
  if (list === undefined) return isBare ? all : standardFaults;
  if (list === "all") return all;
  if (list === "none") return [];
  return list.split(",").map((name) => {
    const found = all.find((known) => known === name);
    if (found !== undefined) return found;
    throw new Error(`'${name}' is no fault; there are ${all.join(", ")}`);
  });
}
