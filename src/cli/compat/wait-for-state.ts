// SPDX-License-Identifier: MIT
// The program waitForState: waits until nodes are in one of some states.
// [EMULAB-EVENTS 7.8] The old command line is kept; what its options did beyond their names is not
// recorded, and neither are its exit statuses: those here are ours (docs/reference/xmlrpc.md).
import {
  connectDaemon,
  type DaemonLink,
  resolveStateDirectory,
  type StateDirectory,
} from "../../boss/index.ts";
import { BossCallError, callBoss, type Members } from "../../client/boss-client.ts";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { array, double, text } from "../../wire/xmlrpc/index.ts";
import { type Exit, helpFor, performExit } from "./exit.ts";
import { Getopt } from "./getopt.ts";

const exitCodes = {
  reached: 0,
  /** Some node was not there in time. */
  timedOut: 1,
  /** A node cannot come, does not exist, or nobody answers. */
  failed: 2,
  usage: 255,
} as const;

/** The code of a reply that says that time is up. */
const timedOutReply = 8;
const usage =
  "Usage: waitForState [-s STATE,...] [-t SECONDS] [-u SECONDS] [--state DIR] NODE...\n" +
  "  -s  states to wait for, any of them (default: ISUP)\n" +
  "  -t  give up after this long (default: never)\n" +
  "  -u  say who is missing this often\n";

interface Wanted {
  readonly kind: "wanted";
  readonly states: string;
  readonly nodes: readonly string[];
  readonly timeoutSeconds: number;
  readonly updateSeconds: number;
  readonly state: StateDirectory;
}

function parse(args: readonly string[]): Wanted | Exit {
  const help = helpFor(args, usage);
  if (help !== undefined) return help;
  const names = { flags: "", valued: "stu", longFlags: [], longValued: ["state"] };
  const getopt = new Getopt(args, names);
  const given = getopt.readAll("waitForState");
  if (typeof given === "string") return misused(given);
  const nodes = getopt.rest;
  if (nodes.length === 0) return misused("waitForState: name at least one node");
  const [timeoutSeconds, updateSeconds] = ["t", "u"].map((name) => secondsOf(given.get(name)));
  if (timeoutSeconds === undefined || updateSeconds === undefined) {
    return misused("waitForState: -t and -u take seconds");
  }
  const state = resolveStateDirectory(given.get("state"), process.env);
  const states = given.get("s") ?? "ISUP";
  return { kind: "wanted", states, nodes, timeoutSeconds, updateSeconds, state };
}

/** 0 for none; undefined for what is no number. */
function secondsOf(given: string | undefined): number | undefined {
  if (given === undefined) return 0;
  return /^\d{1,6}(?:\.\d{1,6})?$/.test(given) ? Number(given) : undefined;
}

function misused(complaint: string): Exit {
  return { kind: "exit", code: exitCodes.usage, stderr: `${complaint}\n${usage}` };
}

async function main(args: readonly string[]): Promise<Exit> {
  const wanted = parse(args);
  if (wanted.kind === "exit") return wanted;
  const startUs = systemClock.nowUs();
  const { timeoutSeconds, updateSeconds } = wanted;
  for (;;) {
    const waited = (systemClock.nowUs() - startUs) / 1_000_000;
    const left = timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : timeoutSeconds - waited;
    const step = Math.min(Math.max(left, 0), updateSeconds || Number.POSITIVE_INFINITY);
    const exit = await waitOnce(wanted, step);
    const isLast = left <= step;
    if (exit.code !== exitCodes.timedOut || isLast) return exit;
    process.stderr.write(exit.stderr ?? "");
  }
}

async function waitOnce(wanted: Wanted, seconds: number): Promise<Exit> {
  const link = await connectDaemon(wanted.state, systemClock);
  if (link === undefined) {
    return failure(`no daemon answers in ${wanted.state.path}; start one with: muster serve`);
  }
  try {
    const { output } = await callBoss(carry(link), "node.statewait", membersOf(wanted, seconds));
    return { kind: "exit", code: exitCodes.reached, stdout: output };
  } catch (error) {
    if (!(error instanceof BossCallError) || error.code !== timedOutReply) {
      return failure(errorText(error));
    }
    const stderr = `waitForState: ${error.message}\n`;
    return { kind: "exit", code: exitCodes.timedOut, stderr };
  } finally {
    link.close();
  }
}

function membersOf({ nodes, states }: Wanted, seconds: number): Members {
  const members: Members = [
    ["node", array(nodes.map(text))],
    ["state", text(states)],
  ];
  return Number.isFinite(seconds) ? [...members, ["timeout", double(seconds)]] : members;
}

function carry(link: DaemonLink): (call: Uint8Array) => Promise<Uint8Array> {
  return async (call) => {
    const response = await link.request({ kind: "xmlrpc", call: Buffer.from(call).toString() });
    return Buffer.from(String(response));
  };
}

function failure(message: string): Exit {
  return { kind: "exit", code: exitCodes.failed, stderr: `waitForState: ${message}\n` };
}

performExit(await main(process.argv.slice(2)).catch((error: unknown) => failure(errorText(error))));
