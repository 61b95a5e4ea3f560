// SPDX-License-Identifier: MIT
// Starts nodes for a test: in this process, or in a host process that can be killed.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { newRunId } from "../../../src/host/ids.ts";
import {
  type BackendOptions,
  type ExitStatus,
  type NodeBackend,
  type NodeMode,
  probeNodes,
  startProcessNodes,
} from "../../../src/testbed/nodes/index.ts";
import type { HostAnswer, HostRequest } from "./host.ts";

/** The modes this machine can do; environment mode it always can. */
export const modes: readonly NodeMode[] =
  (await probeNodes(systemClock)).mode === "namespace"
    ? ["namespace", "environment"]
    : ["environment"];

export const isRoot: boolean = process.geteuid?.() === 0;

/** Not below /tmp's first level by chance: an output directory of a test, kept by nobody. */
export function scratchDirectory(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "nodes-test-")));
}

export async function startNodes(
  out: string,
  more: Partial<BackendOptions> = {},
): Promise<NodeBackend> {
  return await startProcessNodes({
    runId: newRunId(),
    pid: "proj",
    eid: "exp",
    domain: "muster.local",
    seed: process.pid,
    out,
    nodes: [
      { name: "node0", links: [] },
      { name: "node1", links: [] },
    ],
    links: [],
    syncServer: "node0",
    environment: [],
    tools: {},
    clock: systemClock,
    onMessage: () => {},
    ...more,
  });
}

export interface Ran {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
}

let runs = 0;

/** Runs a program on a node to its end. @throws Error when it does not start. */
export async function runOn(
  backend: NodeBackend,
  node: string,
  what: string | readonly string[],
  directory = "",
): Promise<Ran> {
  const running = backend.nodes.get(node);
  if (running === undefined) throw new Error(`no node ${node}`);
  runs += 1;
  const stdout = join(running.hostPath.localLogs, `run${runs}.out`);
  const stderr = join(running.hostPath.localLogs, `run${runs}.err`);
  const program = await running.spawn({
    name: `run${runs}`,
    ...(typeof what === "string" ? { argv: ["sh", "-c", what] } : { argv: what }),
    directory,
    stdout,
    stderr,
  });
  if ("startError" in program) throw new Error(program.startError);
  const status = await program.done;
  return { status, stdout: readFileSync(stdout, "utf8"), stderr: readFileSync(stderr, "utf8") };
}

/** Asks until the answer is empty or the time is over. @returns the last answer. */
export async function untilEmpty(
  ask: () => readonly string[],
  limitMs: number,
): Promise<readonly string[]> {
  const endUs = systemClock.nowUs() + limitMs * 1000;
  for (;;) {
    const answer = ask();
    if (answer.length === 0 || systemClock.nowUs() > endUs) return answer;
    await sleep(systemClock, 20);
  }
}

export async function until(condition: () => boolean, limitMs = 60_000): Promise<boolean> {
  return (await untilEmpty(() => (condition() ? [] : ["not yet"]), limitMs)).length === 0;
}

const hosts = new Set<Host>();

/** Ends the hosts that a failed test left running; to be called after each test. */
export async function endHosts(): Promise<void> {
  await Promise.all(
    [...hosts].map((host) => {
      host.child.kill("SIGKILL");
      return host.exited;
    }),
  );
}

/** Another process in Muster's place. */
export class Host {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  readonly #answers: HostAnswer[] = [];
  #errors = "";
  #wake: (() => void) | undefined;
  #ended = false;

  /** @param prefix put before the command line, to run as somebody else or in a container. */
  constructor(request: HostRequest, prefix: readonly string[] = []) {
    const [file = "", ...argv] = [
      ...prefix,
      process.execPath,
      "--max-semi-space-size=8", // As bin/launch.sh has it for Muster.
      join(import.meta.dirname, "host.ts"),
    ];
    this.child = spawn(file, argv, { cwd: "/", stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.child.stdin?.write(`${JSON.stringify(request)}\n`);
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    hosts.add(this);
    this.exited = new Promise((resolve) => {
      this.child.once("exit", () => {
        hosts.delete(this);
        this.#ended = true;
        this.#wake?.();
        resolve();
      });
    });
    if (this.child.stdout === null) return;
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.#answers.push(JSON.parse(line) as HostAnswer);
      this.#wake?.();
    });
  }

  async answer<K extends HostAnswer["kind"]>(kind: K): Promise<HostAnswer & { kind: K }> {
    for (;;) {
      const found = this.#answers.find((answer) => answer.kind === kind);
      if (found !== undefined) return found as HostAnswer & { kind: K };
      if (this.#ended) throw new Error(`the host ended without ${kind}: ${this.#errors}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
