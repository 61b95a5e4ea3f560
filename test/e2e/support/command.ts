// SPDX-License-Identifier: MIT
// Runs the commands of this repository as a user does: the scripts in bin/, in processes of their
// own. Keeps what they print, lets a test wait for it, and ends what a test has left running.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";

export const repository: string = join(import.meta.dirname, "../../..");

/** What commands say goes on, too: where a test takes long, one wants to see how far it is. */
const isEchoed = process.env["MUSTER_TEST_ECHO"] !== undefined;

/** A wait in a test that takes longer than this has failed. */
const waitMsMax = Number(process.env["MUSTER_TEST_WAIT_MS"] ?? 120_000);

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Put before the command line, to run it as somebody else or with less rights. */
  readonly prefix?: readonly string[];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<Command>();
const directories: string[] = [];

afterEach(async () => {
  for (const command of running) command.child.kill("SIGKILL");
  await Promise.all([...running].map(({ ended }) => ended));
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A directory that goes when the test is over. */
export function scratch(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "muster-test-")));
  directories.push(path);
  return path;
}

/** A process that a test has started. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor(file: string, argv: readonly string[], options: CommandOptions = {}) {
    const [first = file, ...rest] = [...(options.prefix ?? []), file, ...argv];
    const env = { ...process.env, NO_COLOR: "1", ...options.env };
    const stdio = ["ignore", "pipe", "pipe"] as const;
    this.child = spawn(first, rest, { cwd: options.cwd ?? "/", env, stdio: [...stdio] });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      if (isEchoed) process.stderr.write(text);
      this.#wake();
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      if (isEchoed) process.stderr.write(text);
      this.#wake();
    });
    running.add(this);
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        running.delete(this);
        this.#isEnded = true;
        this.#wake();
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves with the match when the output has one. @throws Error with the output otherwise. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    const found = await this.#until(() => pattern.exec(this.stdout) ?? pattern.exec(this.stderr));
    if (found !== null) return found;
    throw new Error(`no ${pattern} in the output:\n${this.stdout}\n${this.stderr}`);
  }

  async #until<T>(ask: () => T | null): Promise<T | null> {
    const deadlineUs = systemClock.nowUs() + waitMsMax * 1_000;
    for (;;) {
      const answer = ask();
      if (answer !== null || this.#isEnded || systemClock.nowUs() > deadlineUs) return answer;
      await new Promise<void>((resolve) => {
        const cancel = systemClock.after(waitMsMax, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }
}

type CommandName =
  | "muster"
  | "program-agent"
  | "emulab-sync"
  | "emulab-syncd"
  | "eventdebug"
  | "event-sched"
  | "eventsys.proxy"
  | "eventsys-control"
  | "eventsys-start"
  | "evproxy"
  | "delay-config"
  | "link-config"
  | "linktest-control"
  | "linktest.proxy"
  | "loghole"
  | "ltevent"
  | "run-linktest"
  | "startcmddone"
  | "tevc"
  | "trafgen"
  | "wait-for-state";

/** Starts a command of bin/. */
export function start(
  name: CommandName,
  argv: readonly string[],
  options: CommandOptions = {},
): Command {
  return new Command(join(repository, "bin", name), argv, options);
}

/** Runs a command of bin/ to its end. */
export function run(
  name: CommandName,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<Ended> {
  return start(name, argv, options).ended;
}

/** Runs a script of sh to its end. */
export function shell(script: string, options: CommandOptions = {}): Promise<Ended> {
  return new Command("sh", ["-c", script], options).ended;
}

/** Asks until the answer is true. @throws Error saying what was waited for. */
export async function until(what: string, ask: () => boolean): Promise<void> {
  const deadlineUs = systemClock.nowUs() + waitMsMax * 1_000;
  while (!ask()) {
    if (systemClock.nowUs() > deadlineUs) throw new Error(`waited in vain: ${what}`);
    await new Promise<void>((resolve) => {
      systemClock.after(10, resolve);
    });
  }
}
