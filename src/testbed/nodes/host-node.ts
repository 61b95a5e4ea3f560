// SPDX-License-Identifier: MIT
// This machine as the only node: for agents that run on a node of a testbed and not in a run. The
// programs differ from others by their environment alone.
import type { Clock } from "../../host/clock.ts";
import { prepareProgram } from "./launch.ts";
import type { PreparedProcess, RunningNode, SpawnSpec, StartError } from "./node-backend.ts";
import { withProgramVariables } from "./program-environment.ts";
import { chooseShell } from "./system-programs.ts";

export interface HostNodeOptions {
  readonly name: string;
  /** Directory of the output, absolute. */
  readonly logs: string;
  /** As it is when a program is started. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/** Whoever starts programs there ends them. */
export function createHostNode(options: HostNodeOptions): RunningNode {
  const { name, logs, environment, clock } = options;
  const shell = chooseShell();
  const prepare = async (spec: SpawnSpec): Promise<PreparedProcess | StartError> => {
    const argv = spec.argv ?? [...shell.argv, spec.command ?? ""];
    if (shell.argv.length === 0)
      return { startError: `${spec.name} needs csh or bash; install csh` };
    return await prepareProgram(spec, {
      ...{ clock, entrance: ["sh"], argv },
      environment: withProgramVariables(environment(), spec.environment),
      directory: spec.directory === "" ? "/tmp" : spec.directory,
      onStarted: () => undefined,
      onEnded: () => undefined,
    });
  };
  return {
    ...{ name, addresses: [], calledAt: "", hostPath: { boot: "", localLogs: logs, root: "/" } },
    prepare,
    spawn: async (spec) => {
      const prepared = await prepare(spec);
      return "startError" in prepared ? prepared : await prepared.start();
    },
  };
}
