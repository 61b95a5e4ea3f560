// SPDX-License-Identifier: MIT
// The options of `muster serve` for the machine where schedulers run.
import { dirname, join } from "node:path";
import {
  experimentDirectory,
  type LinktestPlace,
  OpsEvents,
  resolveStateDirectory,
  Schedulers,
  type StateDirectory,
} from "../../boss/index.ts";
import { defaultRunDirectory } from "../../events/launch/index.ts";
import { systemClock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { installedTool } from "../tools.ts";
import { commandError } from "./serve-client.ts";

export interface SchedulerArguments {
  /** Left out: process. */
  readonly scheduler?: "process" | "inside" | undefined;
  readonly rundir?: string | undefined;
  readonly opsDir?: string | undefined;
}

/** Of root's own daemon; any other keeps all in its state directory. */
const systemOpsDirectory = "/var/lib/muster/ops";

/** @returns undefined when schedulers stay in the process of the daemon. @throws CommandError */
export function resolveSchedulers(
  argv: SchedulerArguments,
  state: StateDirectory,
): Schedulers | undefined {
  const { rundir, opsDir } = argv;
  if (argv.scheduler === "inside") {
    if ((rundir ?? opsDir) === undefined) return undefined;
    throw refused("--rundir and --ops-dir are for schedulers of their own (--scheduler process)");
  }
  for (const path of [rundir, opsDir]) {
    if (path?.startsWith("/") === false) {
      throw refused(`--rundir and --ops-dir take absolute paths, not ${path}`);
    }
  }
  const scheduler = installedTool("event-sched");
  if (scheduler === undefined) {
    throw refused("this installation has no event-sched; install it whole, or --scheduler inside");
  }
  const isRoot = process.geteuid?.() === 0;
  const ownState = resolveStateDirectory(undefined, { ...process.env, MUSTER_STATE: "" });
  const isSystems = isRoot && state.path === ownState.path;
  return new Schedulers({
    ...{ scheduler, tevc: installedTool("tevc"), isRoot },
    runDirectory: rundir ?? (isSystems ? defaultRunDirectory : join(state.path, "evsched")),
    opsDirectory: opsDir ?? (isSystems ? systemOpsDirectory : join(state.path, "ops")),
  });
}

/**
 * How links are tested from ops: over the same remote shell, by the program beside eventsys.proxy.
 * @returns undefined where this installation has not what it takes
 */
export function resolveLinktest(argv: OpsArguments): LinktestPlace | undefined {
  const { ops: host = "localhost", opsShell: shell = "", opsUser: user = "root" } = argv;
  const { opsPort, opsProxy } = argv;
  const proxy =
    opsProxy === undefined
      ? installedTool("linktest.proxy")
      : join(dirname(opsProxy), "linktest.proxy");
  const control = installedTool("linktest-control");
  if (proxy === undefined || control === undefined) return undefined;
  return { ops: { shell, place: { host, user, port: Number(opsPort ?? 22) }, proxy }, control };
}

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
  schedulers: Schedulers | undefined,
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
      pathOf: (pid, eid) =>
        schedulers?.directoryOf({ pid, eid }) ?? experimentDirectory(state, pid, eid),
    });
  } catch (error) {
    throw commandError(error);
  }
}

function refused(message: string): CommandError {
  return new CommandError(exitCodes.usage, `serve: ${message}`);
}
