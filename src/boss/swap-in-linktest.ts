// SPDX-License-Identifier: MIT
// The linktest of a swap-in, as the old system ran it: by linktest_control, for 600 s at most, with
// mail when it finds something. [LINKTEST 10] It never keeps an experiment from coming up.
import type { Clock } from "../host/clock.ts";
import { runLimited } from "../testbed/agents/limited-command.ts";
import type { SwapInLinktest } from "./experiments.ts";
import { linktestExtraMs, linktestOutputBytesMax, swapInLinktestSeconds } from "./limits.ts";

export interface SwapInLinktestOptions {
  /** linktest_control. */
  readonly command: string;
  /** Where the experiments are kept. */
  readonly state: string;
  readonly clock: Clock;
}

/** Ended by its signal, it leaves nothing: with linktest_control its linktest ends. */
export function linktestAtSwapIn(options: SwapInLinktestOptions): SwapInLinktest {
  const { command, state, clock } = options;
  return async ({ pid, eid }, level, signal) => {
    const limit = ["-t", String(swapInLinktestSeconds)];
    const { text, problem } = await runLimited({
      words: [command, "-l", String(level), ...limit, "-m", "--state", state, pid, eid],
      directory: "/",
      environment: environment(),
      // Longer than all that it waits for by itself.
      msMax: 1_000 * swapInLinktestSeconds + 2 * linktestExtraMs,
      outputBytesMax: linktestOutputBytesMax,
      ...{ clock, interrupt: signal },
    });
    if (problem === undefined || signal.aborted) return undefined;
    return `linktest at swap-in: ${[problem, ...findings(text)].join("\n")}`;
  };
}

/** Of all that it said: what it has found, or else its last words. */
function findings(text: string): readonly string[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const found = lines.filter((line) => / error: /.test(line));
  return found.length > 0 ? found : lines.slice(-1);
}

function environment(): Record<string, string> {
  const all = Object.entries(process.env);
  return Object.fromEntries(
    all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
