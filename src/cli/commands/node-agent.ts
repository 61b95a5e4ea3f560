// SPDX-License-Identifier: MIT
// `muster node agent`: what a run starts on a host of `--on`. It speaks with the run over standard
// input and output, and ends with the former.
import { availableParallelism } from "node:os";
import { systemClock } from "../../host/clock.ts";
import { HostAgent } from "../../testbed/machines/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { oldTools } from "../tools.ts";
import { musterVersion } from "../version.ts";

/** @returns the exit status, when nothing of the run is left. */
export async function nodeAgentCommand(): Promise<number> {
  const agent = new HostAgent({
    ...{ input: process.stdin, output: process.stdout, clock: systemClock },
    ...{ tools: oldTools(), version: musterVersion(), processors: availableParallelism() },
  });
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => agent.end(`it was ended by ${signal}`));
  }
  await agent.run();
  return exitCodes.ok;
}
