// SPDX-License-Identifier: MIT
// Runs a command of this machine without a shell, for a limited time, and keeps what it prints up
// to a limit. What it has started ends with it.
import { spawn } from "node:child_process";
import type { Clock } from "../../host/clock.ts";

export interface LimitedCommand {
  readonly words: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What it reads. */
  readonly input?: string | Uint8Array;
  readonly msMax: number;
  readonly outputBytesMax: number;
  readonly clock: Clock;
  /** Ends it. */
  readonly interrupt: AbortSignal;
}

export interface CommandOutput {
  /** What it printed to both streams. */
  readonly text: string;
  /** Why it failed, as the end of a sentence; undefined when it did not. */
  readonly problem: string | undefined;
}

/** Never rejects. */
export function runLimited(command: LimitedCommand): Promise<CommandOutput> {
  const {
    words,
    directory,
    environment,
    input = "",
    msMax,
    outputBytesMax,
    clock,
    interrupt,
  } = command;
  const [program = "", ...argv] = words;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let problem: string | undefined;
    // A group of its own, so that what it has started can be ended with it.
    const child = spawn(program, argv, { cwd: directory, env: environment, detached: true });
    const keep = (chunk: Buffer): void => {
      chunks.push(chunk.subarray(0, Math.max(0, outputBytesMax - bytes)));
      bytes += chunk.length;
    };
    const end = (): void => {
      cancel();
      interrupt.removeEventListener("abort", onInterrupt);
      endGroup(child.pid);
      if (bytes > outputBytesMax) problem ??= `it printed more than ${outputBytesMax} bytes`;
      resolve({ text: Buffer.concat(chunks).toString("utf8"), problem });
    };
    const giveUp = (why: string): void => {
      problem ??= why;
      endGroup(child.pid);
      // Who has left the group may hold the streams open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const cancel = clock.after(msMax, () => giveUp(`it had not ended after ${msMax / 1_000} s`));
    const onInterrupt = (): void => giveUp("the run was interrupted");
    interrupt.addEventListener("abort", onInterrupt);
    if (interrupt.aborted) onInterrupt();
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.stdin.on("error", () => undefined); // It need not read.
    child.stdin.end(input);
    child.once("error", ({ message }) => {
      problem ??= message;
    });
    child.once("exit", (code, signal) => {
      if (code !== 0)
        problem ??= code === null ? `it was ended by ${signal}` : `it exited with ${code}`;
      endGroup(child.pid);
    });
    child.once("close", end);
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All have ended.
  }
}
