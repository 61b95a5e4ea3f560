// SPDX-License-Identifier: MIT
// One at a time, between processes. The lock is the kernel's (flock) and is held by a process that
// waits for the end of our life: it goes with us, however we end, and leaves nothing stale.
//
// Whoever can open the file for reading can hold it for ever: nobody but its owner can.
import { spawn } from "node:child_process";
import { closeSync, constants, fchmodSync, openSync } from "node:fs";
import { errorText } from "../../core/text.ts";
import { systemEnvironment } from "./account.ts";
import { LaunchError } from "./launch-error.ts";

/**
 * @returns what releases it. @throws LaunchError (BUSY, UNSAFE)
 */
export async function lockFile(path: string, timeoutMs: number): Promise<() => void> {
  prepare(path);
  const seconds = String(timeoutMs / 1_000);
  const holder = spawn(
    "flock",
    ["--no-fork", "--exclusive", "--wait", seconds, path, "sh", "-c", "echo held; exec cat"],
    { env: systemEnvironment, stdio: ["pipe", "pipe", "ignore"] },
  );
  const isHeld = await new Promise<boolean>((resolve) => {
    holder.once("error", () => resolve(false));
    holder.once("close", () => resolve(false));
    holder.stdout.once("data", () => resolve(true));
  });
  if (isHeld) return () => holder.stdin.destroy();
  const message = `${path} is held by somebody who starts or stops the same scheduler; try again when that is over`;
  throw new LaunchError("BUSY", message);
}

/** It lies where only root can put links. */
function prepare(path: string): void {
  const { O_RDONLY, O_CREAT, O_NOFOLLOW } = constants;
  try {
    const descriptor = openSync(path, O_RDONLY | O_CREAT | O_NOFOLLOW, lockMode);
    fchmodSync(descriptor, lockMode);
    closeSync(descriptor);
  } catch (error) {
    const why = errorText(error);
    throw new LaunchError("UNSAFE", `the lock cannot be opened: ${why}; see: ls -l ${path}`);
  }
}

const lockMode = 0o600;
