// SPDX-License-Identifier: MIT
// Nodes for tests: programs are entries in a list, and end when the test says so.
import type {
  ExitStatus,
  NodeBackend,
  NodeProcess,
  PreparedProcess,
  RunningNode,
  SpawnSpec,
  StartError,
  StartTrigger,
} from "../../../src/testbed/nodes/node-backend.ts";
import type { NodePlan } from "../../../src/testbed/nodes/node-plan.ts";
import type { FakeClock } from "../record/fake-clock.ts";

export class FakeProcess implements NodeProcess {
  readonly pid = 1;
  readonly spec: SpawnSpec;
  readonly startedMonotonicUs: number;
  readonly done: Promise<ExitStatus>;
  /** `SIGTERM group`, ... in order. */
  readonly signals: string[] = [];
  readonly #clock: FakeClock;
  #end: (status: ExitStatus) => void = () => undefined;

  constructor(spec: SpawnSpec, clock: FakeClock, startedUs: number = clock.nowUs()) {
    this.spec = spec;
    this.#clock = clock;
    this.startedMonotonicUs = startedUs;
    this.done = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  signal(name: string, whole: "group" | "process"): void {
    this.signals.push(`${name} ${whole}`);
  }

  /** Ends with an exit code, or by a signal. */
  async end(how: number | string): Promise<void> {
    const endedMonotonicUs = this.#clock.nowUs();
    const byCode = typeof how === "number";
    this.#end({ exitCode: byCode ? how : null, signal: byCode ? null : how, endedMonotonicUs });
    await settle();
  }
}

export class FakeBackend implements NodeBackend {
  readonly mode = "environment";
  readonly lost: readonly string[] = [];
  readonly shell = "";
  readonly nodes: Map<string, RunningNode>;
  readonly processes: FakeProcess[] = [];
  readonly prepared: { readonly spec: SpawnSpec; state: string }[] = [];
  /** What loaded programs are let go by; undefined: by `start` only. */
  trigger: StartTrigger | undefined;
  /** While set, nodes are on another machine, which is asked so long ahead. */
  aheadUs: number | undefined;
  /** Names of the programs whose start was asked for. */
  readonly asked: string[] = [];
  /** While set, no program can be started, for this reason. */
  startError: string | undefined;
  /** While set, starts wait for it. */
  hold: Promise<void> | undefined;
  readonly #clock: FakeClock;

  readonly #logsOf: (node: string) => string;

  /** @param logsOf the log directory of a node; by default none that is there. */
  constructor(
    clock: FakeClock,
    names: readonly string[],
    logsOf: (node: string) => string = (node) => `/${node}`,
  ) {
    this.#clock = clock;
    this.#logsOf = logsOf;
    this.nodes = new Map(names.map((name) => [name, this.#node(name)]));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  async add(plans: readonly NodePlan[]): Promise<void> {
    if (this.startError !== undefined) throw new Error(this.startError);
    for (const { name } of plans) this.nodes.set(name, this.#node(name));
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) this.nodes.delete(name);
  }

  #node(name: string): RunningNode {
    const spawn = async (
      spec: SpawnSpec,
      startedUs?: number,
    ): Promise<NodeProcess | StartError> => {
      this.asked.push(spec.name);
      await this.hold;
      if (this.startError !== undefined) return { startError: this.startError };
      const process = new FakeProcess(spec, this.#clock, startedUs);
      this.processes.push(process);
      return process;
    };
    const prepare = async (spec: SpawnSpec): Promise<PreparedProcess | StartError> => {
      await this.hold;
      if (this.startError !== undefined) return { startError: this.startError };
      const prepared = { spec, state: "loaded" };
      this.prepared.push(prepared);
      const startAt = (dueUs: number): ReturnType<typeof spawn> => {
        prepared.state = `asked for ${dueUs}`;
        return spawn(spec, dueUs);
      };
      const { aheadUs } = this;
      return {
        trigger: this.trigger,
        ...(aheadUs === undefined ? {} : { remote: { aheadUs, startAt } }),
        start: () => {
          prepared.state = "started";
          return spawn(spec);
        },
        released: (monotonicUs) => {
          prepared.state = "released";
          return spawn(spec, monotonicUs);
        },
        discard: () => {
          prepared.state = "discarded";
        },
      };
    };
    return {
      name,
      addresses: [],
      calledAt: "",
      hostPath: { boot: "/b", localLogs: this.#logsOf(name), root: "/r" },
      spawn: (spec) => spawn(spec),
      prepare,
    };
  }
}

/** Lets everything that is ready go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
