// SPDX-License-Identifier: MIT
// The runs of a series: every combination of the values given with --set, each repeated. Pure.
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface SeriesRun {
  /** Directory below the output directory: `1`, `2`, ..., with leading zeros for sorting. */
  readonly directory: string;
  readonly title: string;
  readonly seed: number;
  /** `NAME=VALUE`, one per name. */
  readonly set: readonly string[];
}

/** Runs a series may have. */
const runsMax = 100_000;

/** A name given more than once makes one run per value; several such names, every combination. */
export function planSeries(
  settings: readonly string[],
  repeat: number,
  seed: number,
): readonly SeriesRun[] {
  const values = new Map<string, string[]>();
  for (const setting of settings) {
    const at = setting.indexOf("=");
    if (at < 1) {
      throw new CommandError(exitCodes.usage, `--set ${setting}: give NAME=VALUE`);
    }
    const name = setting.slice(0, at);
    values.set(name, [...(values.get(name) ?? []), setting.slice(at + 1)]);
  }
  let combinations: string[][] = [[]];
  for (const [name, choices] of values) {
    combinations = combinations.flatMap((combination) =>
      choices.map((value) => [...combination, `${name}=${value}`]),
    );
  }
  const total = combinations.length * repeat;
  if (total > runsMax) {
    throw new CommandError(
      exitCodes.usage,
      `that is ${total} runs; at most ${runsMax} are allowed`,
    );
  }
  const width = String(total).length;
  return Array.from({ length: total }, (_unused, index) => {
    const set = combinations[Math.trunc(index / repeat)] ?? [];
    const number = String(index + 1);
    const what = set.length > 0 ? `, ${set.join(", ")}` : "";
    return {
      directory: number.padStart(width, "0"),
      title: `run ${number} of ${total}${what}`,
      seed: (seed + (index % repeat)) % 2 ** 31,
      set,
    };
  });
}
