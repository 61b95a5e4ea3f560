// SPDX-License-Identifier: MIT
// Commands in the namespaces of a run, by nsenter. What fails is one sentence with the line of the
// batch that it was, never an exit code alone. Whatever does not end is ended, in the end.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Clock } from "../host/clock.ts";
import { type NamespaceCommands, type NetNamespace, NetworkError } from "./link-backend.ts";
import { networkTime } from "./network-time.ts";
import { describeFailure, type FailedProgram, isPassingFailure } from "./passing-failure.ts";

/** An ordinary user's PATH often lacks the sbin ones, where `ip` is. */
export const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** What is kept of what a command says when it fails. */
const errorCharsMax = 4_096;

export interface NamespaceCommandsOptions {
  readonly runId: string;
  /** A process in the namespace of the run itself. */
  readonly hub: number;
  /** The namespaces belong to a user namespace that this user made. */
  readonly asUser: boolean;
  readonly clock: Clock;
  /** Ends what is under way then, and nothing that begins later. */
  readonly interrupt?: AbortSignal | undefined;
}

/** One batch of many: `name` is what an error is said of. */
export interface NamedBatch {
  readonly name: string;
  readonly namespace: NetNamespace;
  readonly lines: readonly string[];
}

export class RunNamespaceCommands implements NamespaceCommands {
  readonly hub: NetNamespace;
  readonly #options: NamespaceCommandsOptions;
  /** Those that are to end by themselves. */
  readonly #running = new Set<ChildProcess>();

  constructor(options: NamespaceCommandsOptions) {
    this.#options = options;
    // One for all: the platform warns of many listeners.
    options.interrupt?.addEventListener("abort", () => this.#running.forEach(endGroup));
    this.hub = { pid: options.hub };
  }

  enter({ pid }: NetNamespace, argv: readonly string[]): readonly string[] {
    return ["nsenter", `--target=${pid}`, ...this.#asUser(), "--net", "--", ...argv];
  }

  async ip(namespace: NetNamespace, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const input = `${lines.join("\n")}\n`;
    const result = await this.#finish(this.enter(namespace, ["ip", "-batch", "-"]), input);
    if (result.status !== 0) throw failure(result, explainBatch(result.said, lines));
  }

  /**
   * Many batches with few processes: a shell for each core starts one `ip` for each batch. The
   * files are in a directory of their own below `temporary` for that time. @throws NetworkError
   */
  async ipMany(batches: readonly NamedBatch[], temporary: string): Promise<void> {
    const work = batches.filter(({ lines }) => lines.length > 0);
    if (work.length === 0) return;
    const directory = join(temporary, "ip");
    mkdirSync(directory, { recursive: true });
    const shells = Math.min(availableParallelism(), work.length, 8);
    const inputs = Array.from({ length: shells }, () => "");
    for (const [index, { namespace, lines }] of work.entries()) {
      writeFileSync(join(directory, String(index)), `${lines.join("\n")}\n`);
      inputs[index % shells] += `${namespace.pid} ${index}\n`;
    }
    // The shell needs no more than the rights over the namespaces.
    const outer = this.#options.asUser
      ? ["nsenter", `--target=${this.hub.pid}`, ...this.#asUser(), "--"]
      : [];
    const argv = [...outer, "sh", "-c", manyBatches, "muster-ip", directory];
    try {
      const results = await Promise.all(inputs.map((input) => this.#finish(argv, input)));
      const failed = results.find(({ status }) => status !== 0);
      if (failed === undefined) return;
      const batch = work[Number(/^failed (\d+)$/m.exec(failed.said)?.[1] ?? 0)];
      const why = explainBatch(failed.said, batch?.lines ?? []);
      throw failure(failed, why, `the network of ${batch?.name ?? "a node"}: `);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  async run(namespace: NetNamespace, argv: readonly string[], input = ""): Promise<string> {
    const result = await this.#finish(this.enter(namespace, argv), input);
    if (result.status === 0) return result.output;
    const why = result.said.trim() || `exit ${result.status}`;
    throw failure(result, why, `${argv.join(" ")}: `);
  }

  spawn(namespace: NetNamespace, argv: readonly string[], descriptor?: number): ChildProcess {
    // Every word becomes the next one by exec, so that the child is the program itself.
    return this.#spawn(this.enter(namespace, ["setpriv", "--pdeathsig=KILL", "--", ...argv]), {
      stdio: ["pipe", "pipe", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
    });
  }

  /** Starts a program of Muster's own there, with a channel for handles. */
  fork(namespace: NetNamespace, argv: readonly string[]): ChildProcess {
    return this.#spawn(this.enter(namespace, argv), { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  }

  #asUser(): readonly string[] {
    return this.#options.asUser ? ["--user", "--preserve-credentials"] : [];
  }

  #spawn(argv: readonly string[], options: SpawnOptions): ChildProcess {
    const [file = "", ...rest] = argv;
    const { runId } = this.#options;
    return spawn(file, rest, {
      ...options,
      cwd: "/",
      // The mark by which the run's reaper finds what outlives Muster.
      env: { PATH: searchPath, MUSTER_RUN: runId, LC_ALL: "C" },
    });
  }

  /** Ends it when it must. @returns what stops that, and says whether it took too long. */
  #watch(child: ChildProcess): () => boolean {
    let isLate = false;
    const cancel = this.#options.clock.after(networkTime.commandMs, () => {
      isLate = true;
      endGroup(child);
    });
    this.#running.add(child);
    return () => {
      cancel();
      this.#running.delete(child);
      return isLate;
    };
  }

  #finish(argv: readonly string[], input: string): Promise<Finished> {
    return new Promise((resolve) => {
      // In a group of its own: with a shell go the programs that it has started.
      const child = this.#spawn(argv, { stdio: ["pipe", "pipe", "pipe"], detached: true });
      const stopWatch = this.#watch(child);
      let output = "";
      let said = "";
      collect(child.stdout, (chunk) => {
        output += chunk;
      });
      collect(child.stderr, (chunk) => {
        said = (said + chunk).slice(-errorCharsMax);
      });
      child.once("error", ({ message }) => {
        stopWatch();
        resolve({ status: -1, signal: null, output, said: message });
      });
      child.once("close", (status, signal) => {
        const isLate = stopWatch();
        resolve({ status, signal, output, said, isLate });
      });
      child.stdin?.on("error", () => undefined); // It ended before it had read all: its status says why.
      child.stdin?.end(input);
    });
  }
}

interface Finished extends FailedProgram {
  readonly output: string;
  /** It was ended for the time that it took. */
  readonly isLate?: boolean;
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function failure(program: Finished, why: string, what = ""): NetworkError {
  if (program.isLate === true) {
    const late = `a program has not ended in ${networkTime.commandMs / 1_000} s, and was killed`;
    return new NetworkError(`${what}${late}; run it again`, { isPassing: true });
  }
  const text = `${what}${describeFailure({ ...program, said: why })}`;
  return new NetworkError(text, { isPassing: isPassingFailure(program) });
}

/** $1 directory of the batches; input: `PID FILE` lines. Its exit status is that of `ip`. */
const manyBatches = `
while read -r pid file; do
  nsenter "--target=$pid" --net -- ip -batch "$1/$file" || {
    status=$?
    echo "failed $file" >&2
    exit "$status"
  }
done
`;

function collect(stream: Readable | null, take: (chunk: string) => void): void {
  stream?.setEncoding("utf8");
  stream?.on("data", take);
}

/** `ip` names the line of the batch that it could not do. */
export function explainBatch(error: string, lines: readonly string[]): string {
  const text = error.trim().split("\n");
  const number = /^Command failed .*:(\d+)$/m.exec(error)?.[1];
  const line = number === undefined ? undefined : lines[Number(number) - 1];
  const said = text.filter((one) => !/^(Command failed|failed \d)/.test(one));
  const why = said.join("; ") || "ip failed and did not say why";
  if (/ENOENT/.test(why)) return "ip is not installed; install iproute2";
  return line === undefined ? why : `${why} (ip ${line})`;
}
