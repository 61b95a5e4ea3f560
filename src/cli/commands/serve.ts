// SPDX-License-Identifier: MIT
// `muster serve`: keeps experiments, the buses, and the doors to them and to a core, in the
// foreground until SIGTERM or SIGINT, then swaps everything out in bounded time. `--role` makes one
// process of a testbed of several; `--stop` ends the daemon that runs.
import {
  BossError,
  Daemon,
  type DaemonOptions,
  isLocked,
  resolveBossLimits,
  type StateDirectory,
} from "../../boss/index.ts";
import { resolveLimits } from "../../core/limits.ts";
import { systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { runExperiment } from "../../testbed/run.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { StopSignals } from "../stop-signals.ts";
import { oldTools } from "../tools.ts";
import { commandError, serveExitCodes, stateOf } from "./serve-client.ts";
import type { DoorsArguments } from "./serve-doors.ts";
import { openDoors } from "./serve-doors.ts";
import { createBuses } from "./serve-events.ts";
import {
  checkClientCertificates,
  checkRole,
  parseListen,
  parseRedirect,
  type Role,
  readTls,
  resolveXmlRpc,
  type TlsArguments,
} from "./serve-listen.ts";
import { type OpsArguments, resolveOps } from "./serve-ops.ts";
import { stopDaemon } from "./stop-daemon.ts";

export interface ServeArguments extends DoorsArguments, OpsArguments, TlsArguments {
  readonly listen: readonly string[];
  readonly redirectEvents: readonly string[];
  /** Absent: both. */
  readonly role?: Role;
  readonly state?: string;
  readonly stop: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function serveCommand(argv: ServeArguments, io: CommandIo): Promise<number> {
  const state = stateOf(argv.state);
  if (argv.stop) {
    await stopDaemon(state, systemClock);
    io.stdout(`the daemon of ${state.path} has ended\n`);
    return exitCodes.ok;
  }
  const tls = readTls(argv);
  const listens = argv.listen.map(parseListen);
  const redirects = argv.redirectEvents.map(parseRedirect);
  checkRole(argv.role, listens);
  const isOps = argv.role === "ops";
  if (isOps) checkOps(argv);
  const xmlrpc = resolveXmlRpc(listens, tls);
  checkClientCertificates(argv, listens, tls);
  const signals = new StopSignals();
  const buses = createBuses();
  try {
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    signals.interrupt.addEventListener("abort", stop);
    const logger = createServeLogger(io);
    const events = resolveOps(argv, state, signals.interrupt);
    const forDaemon = { onStopAsked: stop, xmlrpc, events, bus: buses.boss };
    const daemon = isOps ? undefined : await startDaemon(state, forDaemon, logger);
    const toOpen = listens.filter(({ edge }) => edge !== "xmlrpc");
    const asked = { argv, listens: toOpen, redirects, buses, tls, tokens: state.tokens, logger };
    const doors = await openDoors(asked).catch(async (error: unknown) => {
      await daemon?.close();
      throw error;
    });
    if (daemon !== undefined) describeDaemon(daemon, state, io);
    if (xmlrpc !== undefined) {
      io.stdout(`muster: XML-RPC at https://${xmlrpc.address}:${daemon?.xmlrpcPort}/\n`);
    }
    for (const line of doors.lines) io.stdout(`muster: ${line}\n`);
    await stopped;
    io.stdout(`muster: ${daemon === undefined ? "closing" : "swapping everything out"}\n`);
    await doors.close();
    const left = (await daemon?.close()) ?? [];
    for (const name of left) {
      io.stderr(`muster: ${name} was not down in time; its nodes end with this process\n`);
    }
    return left.length === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    buses.close();
    signals.dispose();
  }
}

/** A process without experiments has nothing to do but what it opens. @throws CommandError */
function checkOps({ listen, redirectEvents, ops }: ServeArguments): void {
  const wrong = (why: string): CommandError => new CommandError(exitCodes.usage, why);
  if (ops !== undefined) {
    throw wrong("--ops says where boss starts schedulers; give it to the process of --role boss");
  }
  if (listen.length + redirectEvents.length > 0) return;
  throw wrong("--role ops opens what it is told to, and was told nothing; add --listen events");
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
      if (level === "warn" || level === "error" || isAudit) io.stderr(`muster: ${message}\n`);
    },
  };
}

async function startDaemon(
  state: StateDirectory,
  asked: Pick<DaemonOptions, "bus" | "onStopAsked" | "xmlrpc" | "events">,
  logger: Logger,
): Promise<Daemon> {
  try {
    return await Daemon.start({
      ...{ state, logger, ...asked },
      clock: systemClock,
      coreLimits: resolveLimits(),
      limits: resolveBossLimits(),
      tools: oldTools(),
      run: runExperiment,
    });
  } catch (error) {
    if (!(error instanceof BossError)) throw error;
    if (isLocked(error)) throw new CommandError(serveExitCodes.inUse, error.message);
    throw commandError(error);
  }
}
