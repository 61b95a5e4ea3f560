// SPDX-License-Identifier: MIT
// Runs a command for boss with the rights of a scheduler's user, to its end. It works in a
// directory of that user, who can put a pipe where a file should be, write without end, or stop it,
// as it is his process: none of that may hold up or fill who asked.
import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../../host/clock.ts";
import { type Account, commandAs, commandAsSelf, environmentOf } from "./account.ts";
import type { LaunchLimits } from "./launch-limits.ts";

export interface HelperOptions {
  /** Undefined: the user of this process. */
  readonly account: Account | undefined;
  readonly argv: readonly string[];
  /** What it finds on standard input. */
  readonly input: string;
  readonly clock: Clock;
  readonly limits: Pick<LaunchLimits, "helperMs" | "helperBytesMax">;
}

export interface HelperEnding {
  /** Null when it was ended: by a signal, by its time, by how much it printed. */
  readonly code: number | null;
  readonly stdout: string;
}

/** Never rejects. */
export async function runHelper(options: HelperOptions): Promise<HelperEnding> {
  const { account, argv, input, clock, limits } = options;
  const [file = "", ...rest] =
    account === undefined ? commandAsSelf(argv) : commandAs(account, argv);
  const env = account === undefined ? process.env : environmentOf(account);
  const stdio = ["pipe", "pipe", "ignore"] as const;
  const child = spawn(file, rest, { cwd: "/", env, stdio: [...stdio], detached: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  const code = await new Promise<number | null>((resolve) => {
    const giveUp = (): void => {
      end(child);
      resolve(null);
    };
    const cancel = clock.after(limits.helperMs, giveUp);
    child.stdout?.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.helperBytesMax) giveUp();
      else chunks.push(chunk);
    });
    child.stdin?.on("error", () => undefined).end(input);
    child.once("error", () => resolve(null));
    child.once("close", (exitCode) => {
      cancel();
      resolve(exitCode);
    });
  });
  return { code, stdout: code === null ? "" : Buffer.concat(chunks).toString("utf8") };
}

/** With all that it has started, and without waiting for who holds its pipes. */
function end(child: ChildProcess): void {
  for (const stream of [child.stdin, child.stdout]) stream?.destroy();
  // What outlives it in its group is the user's own business, and its number may be another's.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended in between.
  }
}
