// SPDX-License-Identifier: MIT
// Starts, stops and replaces the scheduler of an experiment, as root on ops, or as who has no other
// user's schedulers. Who may do that is decided before, on boss. Holds no state: that is the pid
// file and the processes.
//
//   L1. Two starts at one time give one scheduler.
//   L2. After a stop that succeeded there is no scheduler, and no pid file.
//   L3. A scheduler that died is said to have died by whoever starts or stops next.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Clock, sleep } from "../../host/clock.ts";
import {
  type Account,
  commandAs,
  commandAsSelf,
  environmentOf,
  systemEnvironment,
} from "./account.ts";
import { type ExperimentName, formatExperiment } from "./experiment-name.ts";
import { lockFile } from "./file-lock.ts";
import { LaunchError } from "./launch-error.ts";
import type { LaunchLimits } from "./launch-limits.ts";
import { PidFile, prepareRunDirectory } from "./pid-file.ts";
import { childrenOf, isRunning, type ProcessIdentity } from "./process-identity.ts";
import { readLogTail } from "./scheduler-log.ts";
import type { SchedulerSetting } from "./scheduler-setting.ts";
import type { Epoch, SupervisorEnd } from "./supervisor.ts";
import type { AttendantWord, Companion, Supervision, SupervisorAnswer } from "./supervisor-main.ts";

export interface LaunchRequest {
  readonly experiment: ExperimentName;
  /** Undefined: the user of this process. */
  readonly account: Account | undefined;
  readonly runDirectory: string;
  /** A start goes on from the plan, although none has died on this machine. */
  readonly goesOn?: boolean;
  readonly log: string;
  /** Written first, with the rights of the user. */
  readonly setting?: SchedulerSetting;
  /** Hears what becomes of the scheduler, which ends when this process does. */
  readonly attendant?: Attendant;
  /** The scheduler and its arguments. */
  readonly scheduler: readonly string[];
  readonly companions: readonly Companion[];
  /** Run one after the other, as the user, before a scheduler is stopped; may fail. */
  readonly farewells: readonly Farewell[];
}

export interface Attendant {
  /** A supervisor was started, which tells it all. */
  onBegin(): void;
  onNote(text: string): void;
  /** There is no scheduler any more. */
  onEnd(end: AttendedEnd): void;
}

/** `lost`: its supervisor is gone without a word, and the scheduler with it. */
export type AttendedEnd = SupervisorEnd | "lost";

export interface Farewell {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
}

export const launchActions = ["start", "stop", "replay"] as const;
export type LaunchAction = (typeof launchActions)[number];

export interface LaunchWorld {
  readonly clock: Clock;
  readonly limits: LaunchLimits;
  /** A line for whoever asked. */
  say(line: string): void;
}

/** @returns whether it has started one. @throws LaunchError */
export async function launch(
  action: LaunchAction,
  request: LaunchRequest,
  world: LaunchWorld,
): Promise<boolean> {
  prepareRunDirectory(request.runDirectory);
  const file = new PidFile(request.runDirectory, request.experiment);
  const release = await lockFile(file.lockPath, world.limits.lockMs);
  try {
    if (action === "start") return await start(file, request, world);
    await stop(file, request, world);
    if (action === "replay") await startAnew("new", file, request, world);
    return action === "replay";
  } finally {
    release();
  }
}

/** @returns whether none ran. */
async function start(file: PidFile, request: LaunchRequest, world: LaunchWorld): Promise<boolean> {
  const state = file.read();
  if (state.kind === "running") {
    world.say("*** event scheduler already running; not starting another");
    return false;
  }
  if (state.kind === "dead") world.say(describeDeath(state.pid, request));
  const goesOn = state.kind === "dead" || request.goesOn === true;
  await startAnew(goesOn ? "continue" : "new", file, request, world);
  return true;
}

async function stop(file: PidFile, request: LaunchRequest, world: LaunchWorld): Promise<void> {
  const state = file.read();
  if (state.kind === "dead") world.say(describeDeath(state.pid, request));
  if (state.kind === "running") {
    for (const farewell of request.farewells) await runFarewell(farewell, request, world);
    await end(state.process, request, world);
  }
  file.remove();
}

/** The lock is held: nobody else has started one since the pid file was read. */
async function startAnew(
  epoch: Epoch,
  file: PidFile,
  request: LaunchRequest,
  world: LaunchWorld,
): Promise<void> {
  const { experiment, account, runDirectory, scheduler, companions, log } = request;
  const { setting, attendant } = request;
  const { limits } = world;
  const supervision: Supervision = {
    ...{ experiment, runDirectory, argv: scheduler, companions, log, epoch, limits },
    ...(account === undefined ? {} : { account }),
    isAttended: attendant !== undefined,
  };
  const answer = await startSupervisor(supervision, setting, attendant);
  switch (answer.kind) {
    case "started":
      return;
    case "failed":
      file.remove();
      throw new LaunchError("UNSAFE", answer.message);
    case "died": {
      file.remove();
      const tail = readLogTail(log, account, limits.logTailBytesMax);
      if (tail !== "") world.say(tail.trimEnd());
      throw new LaunchError("DIED", `it ${answer.how}; its log is ${log}`);
    }
  }
}

const entry = import.meta.url.endsWith(".ts") ? "./supervisor-main.ts" : "./supervisor-main.js";

async function startSupervisor(
  supervision: Supervision,
  setting: SchedulerSetting | undefined,
  attendant: Attendant | undefined,
): Promise<SupervisorAnswer> {
  const path = fileURLToPath(new URL(entry, import.meta.url));
  const child = spawn(process.execPath, [path, JSON.stringify(supervision)], {
    ...{ detached: true, cwd: "/" },
    // Who is not root has a scheduler with the environment of this process.
    env: supervision.account === undefined ? process.env : systemEnvironment,
    stdio: ["pipe", attendant === undefined ? "ignore" : "pipe", "ignore", "pipe"],
  });
  child.stdin?.on("error", () => undefined).write(`${JSON.stringify(setting ?? {})}\n`);
  // What an attendant has open tells the supervisor that it lives.
  if (attendant === undefined) child.stdin?.end();
  else attend(child.stdout as Readable, attendant);
  const failed = new Promise<string>((resolve) => child.once("error", () => resolve("")));
  const text = await Promise.race([readAll(child.stdio[3] as Readable), failed]);
  child.unref();
  if (text !== "") return JSON.parse(text) as SupervisorAnswer;
  const { log } = supervision;
  throw new LaunchError("LOST", `its supervisor ended without a word; see ${log}, then try again`);
}

/** The other end of the line closes with its process. */
function attend(line: Readable, attendant: Attendant): void {
  let end: AttendedEnd = "lost";
  attendant.onBegin();
  line.on("error", () => undefined);
  const lines = createInterface({ input: line });
  // It says errors of the line once more.
  lines.on("error", () => undefined);
  lines.on("line", (text) => {
    const word = JSON.parse(text) as AttendantWord;
    if (word.kind === "note") attendant.onNote(word.text);
    else end = word.end;
  });
  lines.once("close", () => attendant.onEnd(end));
}

async function readAll(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return text;
}

/** A waiter of tevc: bounded by itself, and by us when the bus does not answer. */
function runFarewell(
  { argv, timeoutMs }: Farewell,
  { account }: LaunchRequest,
  world: LaunchWorld,
): Promise<void> {
  const [file = "", ...rest] =
    account === undefined ? commandAsSelf(argv) : commandAs(account, argv);
  const env = account === undefined ? process.env : environmentOf(account);
  const child = spawn(file, rest, { cwd: "/", env, stdio: "ignore" });
  const cancel = world.clock.after(timeoutMs, () => child.kill("SIGKILL"));
  return new Promise((resolve) => {
    const over = (how: string | undefined): void => {
      cancel();
      if (how !== undefined) world.say(`*** ${argv.join(" ")}: ${how}; stopping all the same`);
      resolve();
    };
    child.once("error", () => over("it cannot be run"));
    child.once("exit", (code, signal) => {
      if (code === 0) over(undefined);
      else over(signal === null ? `ended with status ${code}` : "no answer in time");
    });
  });
}

/** TERM, which the supervisor passes on; then KILL, for it and for the scheduler it leaves. */
async function end(
  supervisor: ProcessIdentity,
  { experiment }: LaunchRequest,
  world: LaunchWorld,
): Promise<void> {
  const schedulers = childrenOf(supervisor.pid);
  signal(supervisor, supervisor.pid, "SIGTERM");
  await isGoneWithin(world.limits.stopMs, supervisor, world.clock);
  signal(supervisor, supervisor.pid, "SIGKILL");
  for (const one of schedulers) signal(one, -one.pid, "SIGKILL");
  for (const one of [supervisor, ...schedulers]) {
    if (await isGoneWithin(world.limits.stopMs, one, world.clock)) continue;
    const message = `process ${one.pid} of ${formatExperiment(experiment)} does not end; see: ps -p ${one.pid}`;
    throw new LaunchError("LOST", message);
  }
}

/** @param to the process, or with a minus its group */
function signal(target: ProcessIdentity, to: number, name: NodeJS.Signals): void {
  try {
    if (isRunning(target)) process.kill(to, name);
  } catch {
    // It has ended in between.
  }
}

/** How often a process that is no child of ours is looked at. */
const lookMs = 20;

async function isGoneWithin(
  timeoutMs: number,
  target: ProcessIdentity,
  clock: Clock,
): Promise<boolean> {
  const deadlineUs = clock.nowUs() + timeoutMs * 1_000;
  while (isRunning(target)) {
    if (clock.nowUs() >= deadlineUs) return false;
    await sleep(clock, lookMs);
  }
  return true;
}

function describeDeath(pid: number | undefined, { experiment, log }: LaunchRequest): string {
  const which = pid === undefined ? "" : ` (process ${pid})`;
  return `*** the event scheduler of ${formatExperiment(experiment)}${which} had died; see ${log}`;
}
