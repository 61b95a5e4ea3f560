// SPDX-License-Identifier: MIT
// The program eventsys_start: has the scheduler of each experiment that is up started, where it is
// not there: run on boss after the machine of the schedulers was started anew. [EMULAB-EVENTS 7.5]
import {
  connectDaemon,
  type ExperimentStatus,
  resolveStateDirectory,
  type StateDirectory,
} from "../../boss/index.ts";
import { callBoss, experimentMembers } from "../../client/boss.ts";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { text } from "../../wire/xmlrpc/index.ts";
import { type Exit, helpFor, performExit } from "./exit.ts";
import { Getopt } from "./getopt.ts";
import { askByXmlRpc } from "./xmlrpc-socket.ts";

/** For everything that goes wrong; the old one had no other. */
const failed = 255;
/** Whose experiment the machine of the schedulers itself is. */
const opsProject = "emulab-ops";
const usage =
  "Usage: eventsys_start [--state DIR]      (on boss)\n" +
  "  --state DIR   where the experiments are kept\n";

async function main(args: readonly string[]): Promise<Exit> {
  const help = helpFor(args, usage);
  if (help !== undefined) return help;
  const getopt = new Getopt(args, { flags: "", valued: "", longFlags: [], longValued: ["state"] });
  const given = getopt.readAll("eventsys_start");
  if (typeof given === "string") return misused(given);
  if (getopt.rest.length > 0) return misused("it takes no names");
  const state = resolveStateDirectory(given.get("state"), process.env);
  const lines: string[] = [];
  const problems: string[] = [];
  // One after the other: each start takes the machine a second.
  for (const { pid, eid } of await findActive(state)) {
    try {
      const words = [...experimentMembers(pid, eid), ["action", text("start")] as const];
      const ask = (call: Uint8Array): Promise<Uint8Array> => askByXmlRpc(state, call);
      const { output } = await callBoss(ask, "experiment.eventsys_control", words);
      lines.push(`${pid}/${eid}: ${output === "" ? "started" : output}\n`);
    } catch (error) {
      problems.push(`eventsys_start: ${pid}/${eid}: ${errorText(error)}\n`);
    }
  }
  const code = problems.length === 0 ? 0 : failed;
  return { kind: "exit", code, stdout: lines.join(""), stderr: problems.join("") };
}

/** @throws Error with a sentence when no daemon answers */
async function findActive(state: StateDirectory): Promise<readonly ExperimentStatus[]> {
  const link = await connectDaemon(state, systemClock);
  if (link === undefined) throw new Error(`no daemon answers in ${state.path}; nothing is up`);
  try {
    const all = (await link.request({ kind: "status", id: null })) as readonly ExperimentStatus[];
    return all.filter((one) => one.state === "active" && one.pid !== opsProject);
  } finally {
    link.close();
  }
}

function misused(complaint: string): Exit {
  return { kind: "exit", code: failed, stderr: `${complaint}\n${usage}` };
}

performExit(
  await main(process.argv.slice(2)).catch((error: unknown): Exit => {
    return { kind: "exit", code: failed, stderr: `eventsys_start: ${errorText(error)}\n` };
  }),
);
