// SPDX-License-Identifier: MIT
// What the commands that talk to the daemon have in common: finding it, starting it in the
// background, one request, and exit statuses for what it refuses.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import {
  type Answer,
  BossError,
  type BossErrorCode,
  connectAgainMs,
  connectDaemon,
  type DaemonLink,
  daemonStartMsMax,
  prepareStateDirectory,
  type Request,
  resolveStateDirectory,
  type StateDirectory,
} from "../../boss/index.ts";
import { sleep, systemClock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

/** Exit statuses of these commands besides those of exit-codes.ts; sysexits.h has the numbers. */
export const serveExitCodes = {
  /** No daemon answers, or it went away. */
  unavailable: 69,
  /** Another daemon has the state directory. */
  inUse: 75,
  /** Somebody else may, but not this user. */
  notAllowed: 77,
  /** `serve`: another server of its name has joined its log. */
  nameTaken: 78,
} as const;

const statuses: Readonly<Record<BossErrorCode, number>> = {
  NO_SUCH_EXPERIMENT: exitCodes.noInput,
  NO_SUCH_PROJECT: exitCodes.noInput,
  NO_SUCH_USER: exitCodes.noInput,
  LAST_LEADER: exitCodes.failed,
  WRONG_STATE: exitCodes.failed,
  NOT_ALLOWED: serveExitCodes.notAllowed,
  LIMIT: exitCodes.failed,
  REFUSED_FILE: exitCodes.refused,
  NOT_YET: exitCodes.refused,
  NOT_MODIFIED: exitCodes.failed,
  BAD_REQUEST: exitCodes.usage,
  DATABASE: serveExitCodes.unavailable,
  STATE_DIRECTORY: exitCodes.cannotCreate,
  NO_OUTPUT: exitCodes.failed,
  NO_DAEMON: serveExitCodes.unavailable,
  LOST: serveExitCodes.unavailable,
  OPS: serveExitCodes.unavailable,
  LISTEN: serveExitCodes.unavailable,
  CLOSING: serveExitCodes.unavailable,
  INTERNAL: exitCodes.internal,
};

/** What a command ends with for an error of the daemon's. */
export function commandError(error: unknown): unknown {
  if (!(error instanceof BossError)) return error;
  const status = statuses[error.code] ?? exitCodes.failed;
  return new CommandError(status, error.message, { cause: error });
}

export function stateOf(given: string | undefined): StateDirectory {
  return resolveStateDirectory(given, process.env);
}

export interface AskOptions {
  readonly state: StateDirectory;
  readonly request: Request;
  readonly onAnswer?: (answer: Answer) => void;
}

/** Asks the daemon that runs. @throws CommandError, also when there is none. */
export async function askDaemon({ state, request, onAnswer }: AskOptions): Promise<unknown> {
  try {
    const link = await connectDaemon(state, systemClock);
    if (link !== undefined) return await ask(link, request, onAnswer);
  } catch (error) {
    const told = commandError(error);
    const isUnknown = error instanceof BossError && error.code === "NO_SUCH_EXPERIMENT";
    throw isUnknown && told instanceof CommandError ? await namingRun(told, request) : told;
  }
  const none = new CommandError(
    serveExitCodes.unavailable,
    `no daemon answers in ${state.path}, so nothing is up there; start one with: muster up FILE, or muster serve`,
  );
  throw await namingRun(none, request);
}

/**
 * Other commands take the name of a run that no daemon has: who gives it is told why not here, and
 * who gives another one which there are.
 */
async function namingRun(error: CommandError, request: Request): Promise<CommandError> {
  if (!("id" in request) || typeof request.id !== "string") return error;
  const { besides, runsNamed, runsUnderWay } = await import("../living-runs.ts");
  const [run] = runsNamed(request.id);
  const whose = "by muster run, whose terminal shows it, or under another --state";
  const added =
    run === undefined ? besides(runsUnderWay()) : `; ${run.experiment} is under way ${whose}`;
  return new CommandError(error.exitCode, `${error.message}${added}`, { cause: error.cause });
}

/** Asks the daemon, and starts it in the background when there is none. @throws CommandError */
export async function askStartedDaemon({ state, request, onAnswer }: AskOptions): Promise<unknown> {
  try {
    const link = await connectOrStart(state);
    return await ask(link, request, onAnswer);
  } catch (error) {
    throw commandError(error);
  }
}

async function ask(
  link: DaemonLink,
  request: Request,
  onAnswer: ((answer: Answer) => void) | undefined,
): Promise<unknown> {
  try {
    return await link.request(request, onAnswer);
  } finally {
    link.close();
  }
}

/** Two who do this at once start two daemons; one gets the lock, and both clients find it. */
async function connectOrStart(state: StateDirectory): Promise<DaemonLink> {
  prepareStateDirectory(state);
  const deadlineUs = systemClock.nowUs() + daemonStartMsMax * 1_000;
  let started: BackgroundDaemon | undefined;
  for (;;) {
    const link = await connectDaemon(state, systemClock);
    if (link !== undefined) {
      started?.letGo();
      return link;
    }
    if (started === undefined) started = new BackgroundDaemon(state);
    else if (started.hasEnded) {
      // The lock is held: by a daemon that begins, whom we shall find, or by one that ends.
      if (!started.foundAnother) throw new BossError("NO_DAEMON", started.describeFailure());
      started = new BackgroundDaemon(state);
    }
    if (systemClock.nowUs() > deadlineUs) {
      started.letGo();
      throw new BossError("NO_DAEMON", started.describeFailure());
    }
    await Promise.race([sleep(systemClock, connectAgainMs), started.ended]);
    if (started.hasEnded) await sleep(systemClock, connectAgainMs);
  }
}

/** A `muster serve` of its own session, whose output goes to serve.log. */
class BackgroundDaemon {
  readonly ended: Promise<void>;
  readonly #state: StateDirectory;
  readonly #child: ChildProcess;
  readonly #logStart: number;
  #isEnded = false;
  #status: number | null = null;

  constructor(state: StateDirectory) {
    this.#state = state;
    const log = openSync(state.log, "a", 0o600);
    this.#logStart = fstatSync(log).size;
    const [, entry = ""] = process.argv;
    const argv = [...process.execArgv, entry, "serve", "--state", state.path];
    this.#child = spawn(process.execPath, argv, {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.ended = new Promise((resolve) => {
      const end = (status: number | null): void => {
        this.#isEnded = true;
        this.#status = status;
        resolve();
      };
      this.#child.once("error", () => end(null));
      this.#child.once("exit", end);
    });
  }

  get hasEnded(): boolean {
    return this.#isEnded;
  }

  get foundAnother(): boolean {
    return this.#status === serveExitCodes.inUse;
  }

  /** The command may end and the daemon goes on. */
  letGo(): void {
    this.#child.unref();
  }

  describeFailure(): string {
    const said = readFileSync(this.#state.log)
      .subarray(this.#logStart)
      .toString("utf8")
      .trim()
      .replace(/^muster: /, "");
    const why = said === "" ? `see ${this.#state.log}` : (said.split("\n").at(-1) ?? "");
    return `the daemon could not be started: ${why}`;
  }
}
