// SPDX-License-Identifier: MIT
// Names `muster linktest` and its options. What is tested is an experiment that is up, or the links
// of a file, brought up for this alone.
import { type Command, InvalidArgumentError } from "commander";
import { collect } from "../collect.ts";
import { processIo, withJsonFailure } from "../io.ts";
import { addPlace, type PlaceOptions } from "./event-commands.ts";
import type { LinktestArguments } from "./linktest.ts";

function level(text: string): number {
  if (/^[1-4]$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be 1 latency, 2 routing, 3 loss or 4 bandwidth.");
}

function timeout(text: string): number {
  const value = Number(text);
  // What the timers of the platform can wait is 24 days.
  if (text.trim() !== "" && value > 0 && value <= 2_000_000) return value;
  throw new InvalidArgumentError("It must be a number of seconds up to 2000000, above 0.");
}

function asked(text: string): "now" | "file" {
  if (text === "now" || text === "file") return text;
  throw new InvalidArgumentError("It must be now or file.");
}

type LinktestOptions = Omit<LinktestArguments, "target" | "set" | keyof PlaceOptions> &
  PlaceOptions & { readonly set?: readonly string[] };

/** Adds the command to `muster`. */
export function registerLinktestCommand(program: Command, setExit: (code: number) => void): void {
  const command = program
    .command("linktest")
    .description("probe the links of an experiment that is up, or of a file, in every direction")
    .argument("<target>", "pid/eid, or eid where only one project has it; or an experiment file")
    .option("--start-level <n>", "first stage: 1 latency, 2 routing, 3 loss, 4 bandwidth", level, 1)
    .option("--level <n>", "last stage", level, 4)
    .option("--timeout <s>", "end it after so many seconds", timeout)
    .option(
      "--asked <what>",
      "of links: now, with what was set since, or what the file says",
      asked,
      "now",
    )
    .option("--kill", "end the linktest of an experiment, whoever has started it", false)
    .option("--plan", "of a file: only show what is probed, how long it takes", false)
    .option("--out <dir>", "of a file: where the results go (default: results/NAME-TIME)")
    .option("--set <name=value>", "of a file: set a variable first", collect);
  addPlace(command).action(async (target: string, options: LinktestOptions) => {
    const { linktestCommand } = await import("./linktest.ts");
    const argv = { target, ...options, set: options.set ?? [] };
    setExit(await withJsonFailure(processIo, options.json, () => linktestCommand(argv, processIo)));
  });
}
