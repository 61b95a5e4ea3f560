// SPDX-License-Identifier: MIT
// Starts one program and watches it to its end. The program is loaded first (a launcher that
// blocks on a socket) and let go later, so that many can start at one instant.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Duplex, Readable } from "node:stream";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import { type Measuring, measuring, readUsage, usageDescriptor } from "./measured-child.ts";
import type {
  ExitStatus,
  NodeProcess,
  PreparedProcess,
  SpawnSpec,
  StartError,
  StartTrigger,
} from "./node-backend.ts";
import { describeProcess } from "./process-identity.ts";
import { openRegularFile } from "./regular-file.ts";
import { LAUNCHER } from "./scripts.ts";
import { describeSystemError } from "./system-programs.ts";

/** How programs get into a node, and who wants to know of them. */
export interface LaunchContext {
  readonly clock: Clock;
  /**
   * What runs `sh -c LAUNCHER` inside the node: `[sh]`, or `[nsenter, ..., setsid, sh]`. When it
   * is more than the shell, the program is the only child of the process that is started here.
   */
  readonly entrance: readonly string[];
  readonly environment: Record<string, string>;
  /** The program and its arguments. */
  readonly argv: readonly string[];
  readonly directory: string;
  readonly onStarted: (group: ProgramGroup) => void;
  readonly onEnded: (group: ProgramGroup) => void;
}

/** A program as leader of a process group, and who waits for it. */
export interface ProgramGroup {
  readonly pid: number;
  /** The process this one started: the program itself, or what entered the node for it. */
  readonly waiter: number;
  /** Of the program, by which it is known when its number is another's. */
  readonly identity: string | undefined;
}

/** Sends a signal. Nobody is asked whether it arrived: the process may end at any moment. */
export function signalProgram(
  group: ProgramGroup,
  name: NodeJS.Signals,
  whole: "group" | "process",
): void {
  send(whole === "group" ? -group.pid : group.pid, name);
  // Who waits may have stopped together with the program, see `findWaiter`.
  const wakes = name === "SIGCONT" || name === "SIGKILL";
  if (wakes && group.waiter !== group.pid) send(group.waiter, "SIGCONT");
}

/**
 * Somebody has killed who waits for a program and not the program: nobody would hear of its end any
 * more, and it would keep its ports from the next one.
 */
function endOutliving(group: ProgramGroup): void {
  if (group.identity === undefined || describeProcess(group.pid) !== group.identity) return;
  signalProgram(group, "SIGKILL", "group");
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended, or there is no such signal: in both cases nothing is to be done.
  }
}

/** Loads the program. Everything that goes wrong comes back as a sentence. */
export async function prepareProgram(
  spec: SpawnSpec,
  context: LaunchContext,
): Promise<PreparedProcess | StartError> {
  const files = openOutput(spec);
  if ("startError" in files) return files;
  const measured = spec.isMeasured === true ? measuringIn(context) : undefined;
  const child = spawnLauncher(files, context, measured);
  for (const file of new Set([files.stdout, files.stderr])) closeSync(file);
  if (typeof child === "string") return { startError: `${spec.name} cannot be started: ${child}` };
  const failed = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(describeSystemError(error)));
  });
  const exited = watchExit(child, context.clock, measured !== undefined);
  // There is none when this process has run out of descriptors; `error` says so then.
  const stdio: ChildProcess["stdio"] | undefined = child.stdio;
  const socket = (stdio?.[3] ?? undefined) as Duplex | undefined;
  if (socket === undefined) {
    return { startError: `${spec.name} cannot be started: ${await failed}` };
  }
  // Its descriptor must not be another file's when the trigger is written: should the launcher die,
  // the socket stays open until the program is let go or given up.
  socket.allowHalfOpen = true;
  const words = new WordReader(socket);
  const answer = await Promise.race([words.next(), failed]);
  const group = answer === "ready" ? findGroup(child, context, measured) : undefined;
  if (group === undefined) {
    socket.destroy();
    return { startError: `${spec.name} cannot be started: ${answer || "its node has ended"}` };
  }
  context.onStarted(group);
  const done = exited.then((status) => {
    endOutliving(group);
    context.onEnded(group);
    return status;
  });
  return new LoadedProgram(spec, context, { group, socket, words, done });
}

interface LoadedParts {
  readonly group: ProgramGroup;
  readonly socket: Duplex;
  readonly words: WordReader;
  readonly done: Promise<ExitStatus>;
}

/** What the launcher reads before it becomes the program. */
const go = "go\n";

class LoadedProgram implements PreparedProcess {
  readonly trigger: StartTrigger | undefined;
  readonly #spec: SpawnSpec;
  readonly #context: LaunchContext;
  readonly #parts: LoadedParts;
  #released = false;

  constructor(spec: SpawnSpec, context: LaunchContext, parts: LoadedParts) {
    this.#spec = spec;
    this.#context = context;
    this.#parts = parts;
    const descriptor = descriptorOf(parts.socket);
    this.trigger = descriptor === undefined ? undefined : { descriptor, text: go };
  }

  async start(): Promise<NodeProcess | StartError> {
    const startedMonotonicUs = this.#context.clock.nowUs();
    if (!this.#released) this.#parts.socket.write(go);
    return await this.released(startedMonotonicUs);
  }

  async released(startedMonotonicUs: number): Promise<NodeProcess | StartError> {
    const { group, socket, words, done } = this.#parts;
    if (this.#released) return { startError: `${this.#spec.name} was started or given up before` };
    this.#released = true;
    const answer = await words.next();
    socket.destroy();
    if (answer === "ok") return new StartedProgram(group, startedMonotonicUs, done);
    await done;
    return { startError: explain(answer, this.#spec, this.#context) };
  }

  discard(): void {
    if (this.#released) return;
    this.#released = true;
    this.#parts.socket.destroy();
  }
}

/**
 * The descriptor below a socket. The platform has no public name for it: where it is missing,
 * programs are let go through the event loop.
 */
function descriptorOf(socket: Duplex): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const descriptor: unknown = Reflect.get(handle, "fd");
  return typeof descriptor === "number" && descriptor >= 0 ? descriptor : undefined;
}

class StartedProgram implements NodeProcess {
  readonly pid: number;
  readonly startedMonotonicUs: number;
  readonly done: Promise<ExitStatus>;
  readonly #group: ProgramGroup;
  #ended = false;

  constructor(group: ProgramGroup, startedMonotonicUs: number, done: Promise<ExitStatus>) {
    this.pid = group.pid;
    this.#group = group;
    this.startedMonotonicUs = startedMonotonicUs;
    this.done = done.then((status) => {
      this.#ended = true;
      return status;
    });
  }

  signal(name: string, whole: "group" | "process"): void {
    if (this.#ended) return;
    const upper = name.toUpperCase();
    const full = upper.startsWith("SIG") ? upper : `SIG${upper}`;
    signalProgram(this.#group, full as NodeJS.Signals, whole);
  }
}

function explain(answer: string, spec: SpawnSpec, context: LaunchContext): string {
  if (answer === "directory") {
    return `${spec.name} cannot be started: there is no directory ${context.directory} on its node`;
  }
  if (answer === "program") {
    return `${spec.name} cannot be started: ${context.argv[0]} is not an executable on its node`;
  }
  return `${spec.name} was ended before it could start`;
}

function openOutput(spec: SpawnSpec): { stdout: number; stderr: number } | StartError {
  const stdout = openForAppend(spec.stdout);
  if (typeof stdout === "string") return outputError(spec, stdout);
  if (spec.stderr === spec.stdout) return { stdout, stderr: stdout };
  const stderr = openForAppend(spec.stderr);
  if (typeof stderr !== "string") return { stdout, stderr };
  closeSync(stdout);
  return outputError(spec, stderr);
}

function openForAppend(path: string): number | string {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    return String(error);
  }
  return openRegularFile(path, "append");
}

function outputError(spec: SpawnSpec, why: string): StartError {
  return { startError: `the output of ${spec.name} cannot be written: ${why}` };
}

function measuringIn({ environment, entrance }: LaunchContext): Measuring | undefined {
  return measuring(environment, { entersSession: entrance.length > 1 });
}

function spawnLauncher(
  files: { stdout: number; stderr: number },
  context: LaunchContext,
  measured: Measuring | undefined,
): ChildProcess | string {
  const [file = "sh", ...entrance] = [...(measured?.argv ?? []), ...context.entrance];
  const argv = [...entrance, "-c", LAUNCHER, "muster-launcher", context.directory, ...context.argv];
  try {
    return spawn(file, argv, {
      detached: true,
      cwd: "/",
      env: { ...context.environment, ...measured?.environment },
      stdio: ["ignore", files.stdout, files.stderr, "pipe", ...(measured ? usagePipe : [])],
    });
  } catch (error) {
    // Too long a command line, or a NUL byte in it.
    return errorText(error);
  }
}

const usagePipe = ["pipe"] as const;

async function watchExit(
  child: ChildProcess,
  clock: Clock,
  isMeasured: boolean,
): Promise<ExitStatus> {
  const pipe = isMeasured ? child.stdio?.[usageDescriptor] : undefined;
  const usage = pipe instanceof Readable ? readUsage(pipe) : undefined;
  const exit = await new Promise<ExitStatus>((resolve) => {
    child.once("exit", (exitCode, signal) => {
      resolve({ exitCode, signal, endedMonotonicUs: clock.nowUs() });
    });
  });
  // What its own parent says of it is how it ended.
  return { ...exit, ...(await usage) };
}

/** The program is the last of those that were started one by the other. */
function findGroup(
  child: ChildProcess,
  { entrance }: LaunchContext,
  measured: Measuring | undefined,
): ProgramGroup | undefined {
  const waiter = measured === undefined ? child.pid : onlyChild(child.pid);
  const pid = entrance.length === 1 ? waiter : onlyChild(waiter);
  if (pid === undefined || waiter === undefined) return undefined;
  return { pid, waiter, identity: describeProcess(pid) };
}

function onlyChild(parent: number | undefined): number | undefined {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8");
    const pid = Number.parseInt(children, 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    return undefined;
  }
}

/** The words the launcher says, one a line; `""` when it has ended. */
class WordReader {
  #text = "";
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Duplex) {
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      this.#text += chunk;
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on("error", end);
    socket.on("close", end);
    socket.on("end", end);
  }

  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const word = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return word;
      }
      if (this.#ended) return "";
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
