// SPDX-License-Identifier: MIT
// A scheduler as a process of its user, and leader of a process group of its own.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { type Account, commandAs, commandAsSelf, environmentOf } from "./account.ts";
import type { Ending, Epoch, RunningScheduler } from "./supervisor.ts";

/** The descriptor on which a scheduler may say that it listens; others count on its staying. */
const readyDescriptor = 3;

/**
 * @param account undefined: with the rights, and as the child, of this process
 * @param log descriptor for its standard output and error
 */
export function startAs(
  account: Account | undefined,
  argv: readonly string[],
  log: number,
  epoch: Epoch,
): RunningScheduler {
  const [file = "", ...rest] =
    account === undefined ? commandAsSelf(argv) : commandAs(account, argv);
  const child = spawn(file, rest, {
    detached: true,
    cwd: "/",
    env: {
      ...(account === undefined ? process.env : environmentOf(account)),
      MUSTER_READY_FD: String(readyDescriptor),
      MUSTER_EPOCH: epoch,
    },
    stdio: ["ignore", log, log, "pipe"],
  });
  const { pid } = child;
  return {
    ready: untilReady(child),
    ended: untilEnded(child),
    signal(name) {
      if (pid === undefined) return;
      try {
        process.kill(-pid, name);
      } catch {
        // Nobody is left in the group.
      }
    },
  };
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const channel = child.stdio[readyDescriptor] as Readable | null | undefined;
    channel?.once("data", () => resolve());
    channel?.on("error", () => undefined);
  });
}

function untilEnded(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    // There is no setpriv, or no process could be made.
    child.once("error", () => resolve({ exitCode: 127, signal: null }));
  });
}
