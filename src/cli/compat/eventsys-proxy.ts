// SPDX-License-Identifier: MIT
// The program eventsys.proxy: root's hand on ops, which starts and ends the scheduler of an
// experiment as its user. [EMULAB-EVENTS 7.5]
import { dirname } from "node:path";
import {
  type Companion,
  closeInheritedDescriptors,
  type Farewell,
  formatExperiment,
  LaunchError,
  type LaunchRequest,
  launch,
  resolveAccount,
  resolveLaunchLimits,
} from "../../events/launch/index.ts";
import { systemClock } from "../../host/clock.ts";
import { installedTool } from "../tools.ts";
import {
  type ProxyArguments,
  parseProxyArguments,
  proxyLongUsage,
  proxyUsage,
} from "./eventsys-proxy-arguments.ts";
import { type Exit, performExit } from "./exit.ts";
import { findRunServer } from "./run-server.ts";

/** For everything that goes wrong; the old one had no other. */
const failed = 255;

/** What tevc waits for each, and what it may take besides. [EMULAB-EVENTS 7.5] */
const farewellSeconds = [
  ["__ns_swapout", 3],
  ["__ns_teardown", 5],
] as const;
const farewellExtraMs = 5_000;

async function main(argv: readonly string[]): Promise<Exit> {
  const line = parseProxyArguments(argv);
  if (line.kind === "help") return { kind: "exit", code: 0, stdout: proxyLongUsage };
  if (line.kind === "misused") return refuse(`eventsys.proxy: ${line.complaint}\n${proxyUsage}`);
  if (process.geteuid?.() !== 0) {
    return refuse("*** eventsys.proxy must be run by root; on boss use: eventsys_control\n");
  }
  const { action } = line.value;
  closeInheritedDescriptors(2);
  try {
    await launch(action, requestOf(line.value), {
      clock: systemClock,
      limits: resolveLaunchLimits(),
      say: (text) => process.stdout.write(`${text}\n`),
    });
    return { kind: "exit", code: 0 };
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    const last = error.code === "DIED" ? "*** Failed to start event system\n" : "";
    return refuse(`*** eventsys.proxy: ${error.message}\n${last}`);
  }
}

/** @throws LaunchError */
function requestOf(given: ProxyArguments): LaunchRequest {
  const { experiment, runDirectory, keyFile, recordFile } = given;
  const scheduler = given.scheduler ?? installedTool("event-sched");
  if (scheduler === undefined) {
    const message = "this installation has no event-sched; name one with --scheduler PROGRAM";
    throw new LaunchError("NOT_YET", message);
  }
  const debug = given.debug ? ["-d"] : [];
  const record = recordFile === undefined ? [] : ["-t", recordFile];
  const account = resolveAccount(given.user, given.group, given.projectGroup);
  // A run obeys for the simulator itself.
  const server = findRunServer(keyFile, account);
  const where = [...(server ?? ["-s", "localhost"]), "-k", keyFile];
  const more = [...(server === undefined ? [] : ["--with-run"]), ...(given.passedOn ?? [])];
  const names = [experiment.pid, experiment.eid];
  return {
    ...{ experiment, runDirectory, account, log: given.logFile, goesOn: given.goesOn ?? false },
    scheduler: [scheduler, ...debug, ...where, ...record, ...more, ...names],
    companions: given.opsAgent ? [opsAgent(given, where)] : [],
    farewells: farewellsOf(given, where),
  };
}

/** The key is EXPERIMENT/tbdata/eventkey; the files of the agent are where the old one had them. */
function opsAgent(given: ProxyArguments, where: readonly string[]): Companion {
  const { experiment, keyFile } = given;
  const agent = given.agent ?? installedTool("program-agent");
  if (agent === undefined) {
    const message = "this installation has no program-agent; name one with --agent PROGRAM";
    throw new LaunchError("NOT_YET", message);
  }
  const path = dirname(dirname(keyFile));
  const [config, environment] = [`${path}/tbdata/program_agents`, `${path}/tbdata/environment`];
  return {
    name: "the program agent on ops",
    argv: [
      ...[agent, "-d", ...where, "-e", formatExperiment(experiment), "-v", "ops"],
      ...["-c", config, "-f", environment, "-l", `${path}/logs/progagent.debug`],
      ...["-o", `${path}/ops`],
    ],
  };
}

function farewellsOf(given: ProxyArguments, where: readonly string[]): Farewell[] {
  const tevc = given.tevc ?? installedTool("tevc");
  if (tevc === undefined) return [];
  return farewellSeconds.map(([object, seconds]) => ({
    argv: [
      ...[tevc, "-w", "-t", String(seconds), ...where],
      ...["-e", formatExperiment(given.experiment), "now", object, "run"],
    ],
    timeoutMs: seconds * 1_000 + farewellExtraMs,
  }));
}

function refuse(stderr: string): Exit {
  return { kind: "exit", code: failed, stderr };
}

performExit(await main(process.argv.slice(2)));
