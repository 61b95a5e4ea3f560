// SPDX-License-Identifier: MIT
// `muster serve`: keeps experiments, the buses, and the doors to them and to a core, in the
// foreground until SIGTERM or SIGINT; then it takes nobody new, lets waits end for as long as
// `--drain` says, and swaps everything out in bounded time. `--role` makes one process of a testbed
// of several; `--stop` ends the daemon that runs; `--check-config` only says what would be done.
import {
  BossError,
  Daemon,
  type DaemonOptions,
  type FindMachines,
  isLocked,
  type StateDirectory,
} from "../../boss/index.ts";
import { JoinedHosts } from "../../edges/hosts/index.ts";
import { systemClock } from "../../host/clock.ts";
import { logEndMs } from "../../host/leave-log.ts";
import type { Logger } from "../../host/logger.ts";
import type { LinkHealth } from "../../testbed/link-metrics.ts";
import { runExperiment } from "../../testbed/run.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { plainLines } from "../plain-lines.ts";
import { StopSignals } from "../stop-signals.ts";
import { oldTools } from "../tools.ts";
import { commandError, serveExitCodes, stateOf } from "./serve-client.ts";
import {
  inspectServeConfig,
  overlay,
  type ServeSettings,
  type SettingName,
} from "./serve-config.ts";
import { type Doors, openDoors } from "./serve-doors.ts";
import { openBuses } from "./serve-events.ts";
import { joinedMachines } from "./serve-hosts.ts";
import { sendToRun } from "./serve-nodes.ts";
import { resolveLinktest, resolveOps, resolveSchedulers } from "./serve-ops.ts";
import { describePlan, findPlanFaults, planServe, type ServePlan } from "./serve-plan.ts";
import { stopCommand } from "./stop-daemon.ts";

export interface ServeArguments extends ServeSettings {
  readonly config?: string;
  readonly checkConfig: boolean;
  readonly stop: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function serveCommand(argv: ServeArguments, io: CommandIo): Promise<number> {
  const { config, checkConfig, stop, ...options } = argv;
  // Who ends a server does not need its certificates.
  const read =
    config === undefined ? undefined : inspectServeConfig(config, stop ? undefined : options);
  const settings = read === undefined ? options : overlay(read.settings, options);
  if (read?.fault !== undefined) throw withPlanFaults(read.fault, settings, read.unsound);
  if (stop) return stopCommand(settings.state, io);
  const state = stateOf(settings.state);
  const plan = planServe(settings);
  if (checkConfig) {
    const schedulers = plan.role === "ops" ? undefined : resolveSchedulers(plan, state);
    resolveOps(plan, state, new AbortController().signal, schedulers);
    for (const line of describePlan(plan, state.path)) io.stdout(`${line}\n`);
    return exitCodes.ok;
  }
  return serve(plan, state, io);
}

/** What is wrong of the rest is told with what is wrong in the file: to be mended in one go. */
function withPlanFaults(
  fault: CommandError,
  settings: ServeSettings,
  unsound: readonly SettingName[],
): CommandError {
  const more = findPlanFaults(settings, unsound);
  return more === undefined
    ? fault
    : new CommandError(fault.exitCode, `${fault.message}\n${more.message}`);
}

async function serve(plan: ServePlan, state: StateDirectory, io: CommandIo): Promise<number> {
  const { xmlrpc } = plan;
  const signals = new StopSignals();
  const say = (line: string): void => io.stdout(`muster: ${line}\n`);
  const logger = createServeLogger(io);
  const opening = openBuses(plan, { logger, say });
  const buses = await unlessEnded(opening, signals, () => leave(signals, undefined, say));
  try {
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    signals.interrupt.addEventListener("abort", stop);
    const schedulers = plan.role === "ops" ? undefined : resolveSchedulers(plan, state);
    const events = resolveOps(plan, state, signals.interrupt, schedulers);
    const linktest = resolveLinktest(plan);
    const hosts = new JoinedHosts(systemClock);
    let logState: Doors["logState"] = () => undefined;
    const forDaemon = {
      ...{ onStopAsked: stop, xmlrpc, events, schedulers, linktest, bus: buses.boss },
      keep: plan.keep && { rules: plan.keep, say },
      logState: () => logState(),
      machines: (...asked: Parameters<FindMachines>) => joinedMachines(hosts, ...asked),
    };
    const daemon =
      plan.role === "ops" ? undefined : await startDaemon(state, plan, forDaemon, logger);
    const directory = state.path;
    let failedWith: number | undefined;
    const onFailed = (wasReplaced: boolean): void => {
      failedWith ??= wasReplaced ? serveExitCodes.nameTaken : exitCodes.failed;
      stop();
    };
    const linkHealth = (): readonly LinkHealth[] => daemon?.linkHealth() ?? [];
    const tokens = state.tokens;
    const asked = { plan, buses, hosts, tokens, directory, logger, linkHealth, say, onFailed };
    const openingDoors = openDoors(asked).catch(async (error: unknown) => {
      await daemon?.close();
      throw error;
    });
    const doors = await unlessEnded(openingDoors, signals, () => leave(signals, daemon, say));
    ({ logState } = doors);
    if (daemon !== undefined) describeDaemon(daemon, state, io);
    if (xmlrpc !== undefined) {
      io.stdout(`muster: XML-RPC at https://${xmlrpc.address}:${daemon?.xmlrpcPort}/\n`);
    }
    for (const line of [...buses.lines, ...doors.lines]) io.stdout(`muster: ${line}\n`);
    await stopped;
    if (failedWith === undefined) await drain(doors, plan.drainMs, io);
    const isIdle = daemon === undefined || daemon.heldCount === 0;
    io.stdout(`muster: ${isIdle ? "closing" : "swapping everything out"}\n`);
    const hasLeftLog = await doors.close();
    if (hasLeftLog) io.stderr(`muster: ${withoutLog}\n`);
    const left = (await daemon?.close()) ?? [];
    for (const name of left) {
      io.stderr(`muster: ${name} was not down in time; its nodes end with this process\n`);
    }
    if (failedWith !== undefined) return failedWith;
    if (left.length > 0) return exitCodes.failed;
    return hasLeftLog ? serveExitCodes.unavailable : exitCodes.ok;
  } finally {
    await buses.close();
    signals.dispose();
  }
}

const withoutLog =
  `the log took nothing for ${logEndMs / 1000} s; ending without it. That this server has ended ` +
  "is not in it: other servers take it as ended after its lease of 10 s, without them its next " +
  "start does; its clients' waits end then. What was not answered may or may not be in the log";

/** What `opening` gives, or the end when a signal comes first. */
async function unlessEnded<Opened>(
  opening: Promise<Opened>,
  { interrupt }: StopSignals,
  end: () => Promise<never>,
): Promise<Opened> {
  const ended = new Promise<"ended">((resolve) => {
    interrupt.addEventListener("abort", () => resolve("ended"));
  });
  const first = await Promise.race([opening, ended]);
  return first === "ended" || interrupt.aborted ? await end() : first;
}

/**
 * It is told to end before its doors are open, as when it waits for its log. Nobody was served yet,
 * and what it waits for may not come: so nothing is waited for but the experiments of the daemon.
 */
async function leave(
  { exitStatus }: StopSignals,
  daemon: Daemon | undefined,
  say: (line: string) => void,
): Promise<never> {
  say("told to end before anybody was served");
  await daemon?.close();
  process.exit(exitStatus);
}

/** Nobody new is let in; those who wait have so long. A second signal ends the process at once. */
async function drain(doors: Doors, drainMs: number, io: CommandIo): Promise<void> {
  if (drainMs === 0) return;
  io.stdout(`muster: taking nobody new; waits have ${drainMs / 1000} s to end\n`);
  await doors.drain(drainMs);
}

function describeDaemon(daemon: Daemon, state: StateDirectory, io: CommandIo): void {
  io.stdout(`muster: keeping the experiments of ${state.path} (process ${process.pid})\n`);
  for (const name of daemon.recovered) {
    io.stdout(`muster: ${name} was up when the last daemon died; it is swapped out now\n`);
  }
}

/** Warnings, errors, and a line for everything that somebody does to others. */
function createServeLogger(io: CommandIo): Logger {
  return {
    log(level, message) {
      const isAudit = message.startsWith("audit: ");
      const text = plainLines(message);
      if (level === "warn" || level === "error" || isAudit) io.stderr(`muster: ${text}\n`);
    },
  };
}

async function startDaemon(
  state: StateDirectory,
  { limits }: ServePlan,
  asked: Pick<
    DaemonOptions,
    | ("bus" | "onStopAsked" | "xmlrpc" | "events" | "schedulers" | "linktest" | "machines")
    | ("keep" | "logState")
  >,
  logger: Logger,
): Promise<Daemon> {
  try {
    return await Daemon.start({
      ...{ state, logger, ...asked },
      clock: systemClock,
      coreLimits: limits.limits,
      limits: limits.boss,
      tools: oldTools(),
      mailer: process.env["MUSTER_MAILER"],
      run: runExperiment,
      faults: process,
      sendToRun,
    });
  } catch (error) {
    if (!(error instanceof BossError)) throw error;
    if (isLocked(error)) throw new CommandError(serveExitCodes.inUse, error.message);
    throw commandError(error);
  }
}
