// SPDX-License-Identifier: MIT
// The options of `muster serve` for the machine where schedulers run.
import { experimentDirectory, OpsEvents, type StateDirectory } from "../../boss/index.ts";
import { systemClock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { installedTool } from "../tools.ts";
import { commandError } from "./serve-client.ts";

export interface OpsArguments {
  readonly ops?: string | undefined;
  readonly opsShell?: string | undefined;
  readonly opsUser?: string | undefined;
  readonly opsPort?: string | undefined;
  readonly opsProxy?: string | undefined;
}

/** @returns undefined when there is no such machine. @throws CommandError */
export function resolveOps(
  argv: OpsArguments,
  state: StateDirectory,
  signal: AbortSignal,
): OpsEvents | undefined {
  const { ops: host, opsShell: shell = "", opsUser: user = "root" } = argv;
  if (host === undefined) {
    if ((argv.opsShell ?? argv.opsProxy) === undefined) return undefined;
    throw refused("--ops-shell and --ops-proxy belong to --ops HOST");
  }
  if (shell === "" && host !== "localhost") {
    throw refused(`--ops ${host} needs --ops-shell, such as: --ops-shell 'ssh -p %p %u@%h'`);
  }
  const port = Number(argv.opsPort ?? 22);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw refused("--ops-port takes a port");
  const proxy = argv.opsProxy ?? installedTool("eventsys.proxy") ?? "";
  if (!proxy.startsWith("/")) throw refused("--ops-proxy takes an absolute path on that machine");
  try {
    return new OpsEvents({
      ...{ shell, place: { host, user, port }, proxy, clock: systemClock, signal },
      pathOf: (pid, eid) => experimentDirectory(state, pid, eid),
    });
  } catch (error) {
    throw commandError(error);
  }
}

function refused(message: string): CommandError {
  return new CommandError(exitCodes.usage, `serve: ${message}`);
}
