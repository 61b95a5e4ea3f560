// SPDX-License-Identifier: MIT
// The one process of a run that survives Muster: blocked on a pipe whose only writer is Muster, it
// cleans up when that closes. The orderly end of a run takes the same way, so the way is proven by
// every run and not only by the rare crash.
import { spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { Clock } from "../../host/clock.ts";
import { REAPER } from "./scripts.ts";
import { describeSystemError, STANDARD_PATH } from "./system-programs.ts";
import { within } from "./within.ts";

/** How long cleaning up may take; a reaper that somebody stopped would take for ever. */
export const REAP_LIMIT_MS = 10_000;
/** How long the kernel may take to end a process. */
const KILL_LIMIT_MS = 1_000;

export interface Reaper {
  /** A program leads the process group `pid`. */
  started(pid: number): void;
  ended(pid: number): void;
  /** The kernel ends the programs of this run. */
  leaveToKernel(): void;
  /** Cleans up, in bounded time. @returns whether everything went; idempotent. */
  finish(): Promise<boolean>;
}

/**
 * @param directory removed at the end, or `""`.
 * @returns the reaper, or why there is none.
 */
export function startReaper(
  runId: string,
  directory: string,
  clock: Clock,
): Promise<Reaper | string> {
  return new Promise((resolve) => {
    const child = spawn("sh", ["-c", REAPER, "muster-reaper", runId, directory], {
      // A session of its own: Ctrl-C in the terminal is for Muster, not for who cleans up after it.
      detached: true,
      cwd: "/",
      env: { PATH: STANDARD_PATH },
      stdio: ["pipe", "ignore", "ignore"],
    });
    const exited = new Promise<boolean>((done) => {
      child.once("exit", (code) => done(code === 0));
    });
    child.once("error", (error) => resolve(`cannot start sh: ${describeSystemError(error)}`));
    // There is none when this process has run out of descriptors; `error` says so then.
    if ((child.stdin as Writable | undefined) === undefined) return;
    let isGone = false;
    let finished: Promise<boolean> | undefined;
    void exited.then(() => {
      isGone = true;
    });
    const finish = async (): Promise<boolean> => {
      child.stdin.end();
      await within(clock, exited, REAP_LIMIT_MS);
      if (isGone) return exited;
      child.kill("SIGKILL");
      await within(clock, exited, KILL_LIMIT_MS);
      return false;
    };
    child.stdin.on("error", () => {}); // It was killed: `finish` reports that.
    child.once("spawn", () => {
      resolve({
        started: (pid) => child.stdin.write(`+${pid}\n`),
        ended: (pid) => child.stdin.write(`-${pid}\n`),
        leaveToKernel: () => child.stdin.write("~\n"),
        finish: () => {
          finished ??= finish();
          return finished;
        },
      });
    });
  });
}
