// SPDX-License-Identifier: MIT
// One holder more, or one less, in the namespaces of a run that is under way. A late holder is
// started from outside into the namespaces of the keeper; it is guarded twice: by a pipe whose only
// writer is Muster, as the keeper is, and by the keeper, whose end is its end.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { type Clock, sleep } from "../../host/clock.ts";
import { describeSystemError, findProgram, STANDARD_PATH } from "./system-programs.ts";
import { within } from "./within.ts";

/** A holder that has said nothing after this long is not coming. */
const START_LIMIT_MS = 20_000;
/** How long the kernel may take to end the processes of a node. */
const STOP_LIMIT_MS = 5_000;
const LOOK_AGAIN_MS = 10;

export interface LateHolderInput {
  readonly runId: string;
  readonly clock: Clock;
  /** The keeper as this machine counts processes. */
  readonly keeper: string;
  /** The namespaces belong to a user namespace. */
  readonly asUser: boolean;
  readonly name: string;
  readonly hostName: string;
  /** `none`, `new`, or the process whose network it takes over. */
  readonly network: string;
  /** Told when it has ended: then nobody has the other end of its pipe any more. */
  readonly onGone: () => void;
}

export interface LateHolder {
  readonly pid: string;
  /** Lets it end; idempotent. */
  readonly release: () => void;
}

/** Its mount table is written already. @returns the holder, or why there is none. */
export async function startLateHolder(input: LateHolderInput): Promise<LateHolder | string> {
  const child = spawnHolder(input);
  const said = new Promise<string>((resolve) => {
    let text = "";
    let problems = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      problems = (problems + chunk).slice(-4096);
    });
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (/^node \S+ \d+\n/.test(text)) resolve(text);
    });
    child.once("error", (error) => resolve(describeSystemError(error)));
    // Its output closes when all have ended who could still say something.
    child.once("close", () => {
      resolve(`${text}${problems.trim()}`);
      input.onGone();
    });
  });
  const cancel = input.clock.after(START_LIMIT_MS, () => child.kill("SIGKILL"));
  const pid = /^node \S+ (\d+)\n/.exec(await said)?.[1];
  cancel();
  const release = (): void => void guardOf(child)?.destroy();
  if (pid !== undefined) return { pid, release };
  release();
  return `its namespaces could not be made (${(await said).trim() || "nothing was said"})`;
}

function spawnHolder(input: LateHolderInput): ChildProcess {
  const { runId, keeper, asUser, name, hostName, network } = input;
  const isTaken = /^\d+$/.test(network);
  const child = spawn(
    findProgram("nsenter") ?? "nsenter",
    [
      `--target=${keeper}`,
      ...(asUser ? ["--user", "--preserve-credentials"] : []),
      ...["--mount", "--pid", ...(isTaken ? [`--net=/proc/${network}/ns/net`] : []), "--"],
      ...["unshare", "--pid", "--mount", "--uts", "--ipc"],
      ...(network === "new" ? ["--net"] : []),
      ...["sh", "/.muster/run/tables/holder", name, hostName],
    ],
    {
      detached: true,
      cwd: "/",
      env: { PATH: STANDARD_PATH, MUSTER_RUN: runId, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    },
  );
  guardOf(child)?.on("error", () => {}); // Its end is seen at the standard output.
  return child;
}

/**
 * Keeps the network of a node whose holder is about to end: a process that does nothing else.
 * @returns undefined when it cannot be kept
 */
export async function keepNetwork({
  runId,
  clock,
  asUser,
  holder,
}: Pick<LateHolderInput, "runId" | "clock" | "asUser"> & { readonly holder: string }): Promise<
  LateHolder | undefined
> {
  const child = spawn(
    findProgram("nsenter") ?? "nsenter",
    [
      `--target=${holder}`,
      ...(asUser ? ["--user", "--preserve-credentials"] : []),
      ...["--net", "--", "sh", "-c", "echo kept; read -r never <&3"],
    ],
    {
      detached: true,
      cwd: "/",
      env: { PATH: STANDARD_PATH, MUSTER_RUN: runId, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore", "pipe"],
    },
  );
  guardOf(child)?.on("error", () => {});
  const isKept = await new Promise<boolean>((resolve) => {
    const cancel = clock.after(START_LIMIT_MS, () => child.kill("SIGKILL"));
    child.stdout?.once("data", () => {
      cancel();
      resolve(true);
    });
    child.once("error", () => resolve(false));
    child.once("close", () => {
      cancel();
      resolve(false);
    });
  });
  const release = (): void => void guardOf(child)?.destroy();
  return isKept && child.pid !== undefined ? { pid: String(child.pid), release } : undefined;
}

/** There is none when this process has run out of descriptors; `error` says so then. */
function guardOf(child: ChildProcess): Readable | Writable | undefined {
  const stdio: ChildProcess["stdio"] | undefined = child.stdio;
  return stdio?.[3] ?? undefined;
}

/** Ends a holder, early or late, and with it all that runs in its node; waits until it is gone. */
export async function endHolder(pid: string, runId: string, clock: Clock): Promise<void> {
  if (!isHolder(pid, runId)) return;
  process.kill(Number(pid), "SIGKILL");
  let isOver = false;
  const gone = (async (): Promise<void> => {
    while (!isOver && isHolder(pid, runId)) await sleep(clock, LOOK_AGAIN_MS);
  })();
  await within(clock, gone, STOP_LIMIT_MS);
  isOver = true;
}

/** Another process may have got its number since it ended. */
function isHolder(pid: string, runId: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`MUSTER_RUN=${runId}`);
  } catch {
    return false;
  }
}
