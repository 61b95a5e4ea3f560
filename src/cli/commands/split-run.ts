// SPDX-License-Identifier: MIT
// `muster run --split`: whom the scheduler runs as.
import { LaunchError, resolveUser } from "../../events/launch/index.ts";
import type { SplitOptions } from "../../testbed/run-scheduler.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { installedTool } from "../tools.ts";
import type { RunArguments } from "./run-arguments.ts";

/** Undefined when the scheduler stays in the process of the run. @throws CommandError */
export function resolveSplit({ split, schedulerUser }: RunArguments): SplitOptions | undefined {
  if (split !== true) {
    if (schedulerUser === undefined) return undefined;
    const message = "--scheduler-user says whom the scheduler of --split runs as; give both";
    throw new CommandError(exitCodes.usage, message);
  }
  const scheduler = installedTool("event-sched");
  if (scheduler === undefined) {
    const message = "--split: this installation has no event-sched; install it whole";
    throw new CommandError(exitCodes.noInput, message);
  }
  if (schedulerUser === undefined) return { account: undefined, scheduler };
  if (process.geteuid?.() !== 0) {
    const message = "--scheduler-user is for root; leave it out, and the scheduler runs as you";
    throw new CommandError(exitCodes.usage, message);
  }
  try {
    return { account: resolveUser(schedulerUser), scheduler };
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    throw new CommandError(exitCodes.usage, `--scheduler-user: ${error.message}`);
  }
}
