// SPDX-License-Identifier: MIT
// What `npm run chaos` may be told, its defaults, and what is wrong with it.
import { resolve } from "node:path";
import { bareFaults, type FaultName, faultNames, faultTexts, standardFaults } from "./faults.ts";

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

/** What `--help` prints. */
export const help = `usage: npm run chaos -- [OPTION VALUE]... [--bare]

Loads a cluster of real Muster and NATS servers, kills, stops and cuts them by a seeded plan, and
judges by what every client saw whether they kept their promises.

  --minutes M    for how long faults are injected, before a quiet end (default: 3)
  --seed N       fixes the plan of faults and the rounds of the load (default: 1)
  --faults LIST  which, with commas between, or 'all' or 'none' (default: those without *)
  --servers N    Muster servers, and parties of each barrier (default: 3); of NATS there are three
  --lanes N      groups of parties that go from barrier to barrier (default: 24)
  --rate N       operations a second that the load aims at (default: 800)
  --report FILE  where the report goes (default: standard output)
  --keep DIR     leaves histories, logs and the record of the run there (default: nothing is kept)
  --dist DIR     the built program that is tried (default: dist, as npm run build makes it)
  --bare         the brokers alone, with writers and readers of NATS' own client; unless named, all
                 faults that meet brokers

faults:
${faultNames.map(describeFault).join("\n")}

* A broker is silent and comes back as it was, after which NATS 2.9 loses entries by itself.
`;

function describeFault(name: FaultName): string {
  const mark = standardFaults.includes(name) ? " " : "*";
  return `  ${`${name} ${mark}`.padEnd(19)}${faultTexts[name].replaceAll("`", "")}`;
}

/** @throws Error with what is wrong. */
export function parseOptions(words: readonly string[], root: string): ChaosOptions {
  const isBare = words.includes("--bare");
  const args = words.filter((word) => word !== "--bare");
  const given = new Map<string, string>();
  const known = "minutes seed faults servers lanes rate report keep dist".split(" ");
  for (let index = 0; index < args.length; index += 2) {
    const [option = "", value] = [args[index], args[index + 1]];
    if (!option.startsWith("--") || !known.includes(option.slice(2))) {
      throw new Error(`there is no option '${option}'`);
    }
    if (value === undefined) throw new Error(`${option} needs a value behind it`);
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
