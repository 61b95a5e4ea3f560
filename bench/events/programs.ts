// SPDX-License-Identifier: MIT
// How late programs are that are planned for one instant: ours on the nodes of a run, and plain
// spawn at that instant. A program notes the time with a built-in of bash: its first instruction.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "../../src/experiment/model.ts";
import { systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import { ThreadFireClock } from "../../src/testbed/agents/firing/thread-fire-clock.ts";
import { ProgramAgent, type StartOptions } from "../../src/testbed/agents/program-agent.ts";
import { type NodeBackend, startProcessNodes } from "../../src/testbed/nodes/index.ts";

const script = 'echo "$EPOCHREALTIME"';
const command = `exec bash -c '${script}'`;
/** From the plan to the instant. */
const aheadUs = 150_000;

/** Microseconds after the instant (or after the call), one for each program. */
export interface Starts {
  readonly firedUs: readonly number[];
  readonly firstInstructionUs: readonly number[];
}

export class ProgramBench {
  readonly #out: string;
  readonly #backend: NodeBackend;
  readonly #fire = new ThreadFireClock(systemClock);
  readonly #agent: ProgramAgent;
  readonly #names: readonly string[];

  private constructor(out: string, backend: NodeBackend, names: readonly string[]) {
    this.#out = out;
    this.#backend = backend;
    this.#names = names;
    const nobody = (): void => undefined;
    const programs: readonly Program[] = names.map((name) => ({
      ...{ name, node: "n0", command, isStartCommand: false, directory: "", timeoutSeconds: 0 },
      ...{ expectedExitCode: 0, shell: "sh", at: { file: "", line: 1, column: 1 } },
    }));
    this.#agent = new ProgramAgent({
      ...{ backend, programs, clock: systemClock, fire: this.#fire },
      ...{ onStarted: nobody, onEnded: nobody },
    });
  }

  static async create(programs: number): Promise<ProgramBench> {
    const out = mkdtempSync(join(tmpdir(), "muster-bench-"));
    const backend = await startProcessNodes({
      ...{ runId: newRunId(), pid: "bench", eid: "events", domain: "muster.local", seed: 1, out },
      ...{ nodes: [{ name: "n0", links: [] }], links: [], syncServer: "n0", environment: [] },
      ...{ tools: {}, clock: systemClock, onMessage: () => undefined },
    });
    const names = Array.from({ length: programs }, (_none, index) => `p${index}`);
    return new ProgramBench(out, backend, names);
  }

  /** The first `count` programs, planned for one instant. */
  async planned(count: number): Promise<Starts> {
    const names = this.#names.slice(0, count);
    await Promise.all(names.map((name) => this.#agent.load(name, {})));
    const dueUs = systemClock.nowUs() + aheadUs;
    return await this.#start(names, dueUs, { dueUs });
  }

  /** One program, at once. */
  async now(isLoaded: boolean): Promise<Starts> {
    const names = this.#names.slice(0, 1);
    if (isLoaded) await this.#agent.load(names[0] ?? "", {});
    return await this.#start(names, systemClock.nowUs(), {});
  }

  async #start(names: readonly string[], fromUs: number, options: StartOptions): Promise<Starts> {
    const results = await Promise.all(names.map((name) => this.#agent.start(name, {}, options)));
    for (const { outcome } of results) if (outcome !== "done") throw new Error(outcome);
    await Promise.all(results.map(({ done }) => done));
    const logs = this.#backend.nodes.get("n0")?.hostPath.localLogs ?? "";
    const printed = names.map((name) => readFileSync(join(logs, `${name}.out`), "utf8"));
    return {
      firedUs: results.map(({ firedMonotonicUs }) => firedMonotonicUs - fromUs),
      firstInstructionUs: printed.map((text) => toMonotonicUs(text) - fromUs),
    };
  }

  async end(): Promise<void> {
    await this.#agent.stopAll();
    this.#fire.close();
    await this.#backend.stop();
    rmSync(this.#out, { recursive: true, force: true });
  }
}

/** The floor of planned programs: the same program, made when it is due. */
export async function plainSpawn(count: number): Promise<Starts> {
  const dueUs = systemClock.nowUs() + aheadUs;
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, (dueUs - systemClock.nowUs()) / 1_000);
  const firedUs: number[] = [];
  const children = Array.from({ length: count }, () => {
    firedUs.push(systemClock.nowUs() - dueUs);
    return spawn("bash", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  });
  const printed = await Promise.all(
    children.map(async (child) => {
      let text = "";
      for await (const chunk of child.stdout) text += String(chunk);
      return text;
    }),
  );
  return { firedUs, firstInstructionUs: printed.map((text) => toMonotonicUs(text) - dueUs) };
}

/** Between the wall clock, which bash knows, and the monotonic one. */
function toMonotonicUs(epochRealtime: string): number {
  const offsetUs = (performance.timeOrigin + performance.now()) * 1_000 - systemClock.nowUs();
  return Math.round(Number(epochRealtime.replace(",", ".")) * 1_000_000 - offsetUs);
}
