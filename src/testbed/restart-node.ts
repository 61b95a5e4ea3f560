// SPDX-License-Identifier: MIT
// Restarts one node of a run that is under way: what a reboot or a reload of a machine is for nodes
// that are processes. Everything else goes on. Does not own who asks for it, nor that nobody else
// changes the node meanwhile (agents/node-agent.ts, node-changes.ts).
//
//   N1. Nothing of other nodes is stopped, started or moved.
//   N2. A node that does not come back is gone, and everybody who needs it is told so.
import type { Experiment } from "../experiment/model.ts";
import type { ProgramAgent } from "./agents/program-agent.ts";
import type { TrafficAgent } from "./agents/trafgen/traffic-agent.ts";
import { WorkQueue } from "./agents/work-queue.ts";
import { cleanLogs } from "./logs/clean-logs.ts";
import type { ExperimentLogs } from "./logs/experiment-logs.ts";
import { syncLogs } from "./logs/sync-logs.ts";
import type { NodeBoot, Told } from "./node-boot.ts";
import type { NodeBackend, NodePlan } from "./nodes/index.ts";

export interface RestarterOptions {
  readonly backend: NodeBackend;
  readonly boot: () => NodeBoot | undefined;
  readonly programs: ProgramAgent;
  readonly traffic: TrafficAgent | undefined;
  /** What the run is now. */
  readonly told: () => Told;
  readonly planNode: (experiment: Experiment, node: string) => NodePlan;
  readonly logs: () => ExperimentLogs;
  readonly isEnding: () => boolean;
  readonly onWarning: (node: string, text: string) => void;
}

export interface RestartWish {
  readonly node: string;
  /** `empty` removes what was written to the node's own directories; copies of logs stay. */
  readonly files: "keep" | "empty";
  /** Of the event; it names the files of what is started. */
  readonly token: number | undefined;
}

export class NodeRestarter {
  readonly #options: RestarterOptions;
  /** The back end takes nodes one after the other. */
  readonly #machines = new WorkQueue();

  constructor(options: RestarterOptions) {
    this.#options = options;
  }

  /** Why it cannot be restarted, as a sentence; undefined when it can. */
  refusal(node: string): string | undefined {
    const { backend, told, isEnding } = this.#options;
    if (isEnding()) return "the run is ending";
    if (!backend.nodes.has(node)) return `there is no node ${node}`;
    if (told().experiment.syncServer !== node) return undefined;
    return `the sync server is on ${node} and would lose its barriers; put it on another node`;
  }

  /** Resolves when it is up and its start command was started. @throws Error with a sentence */
  async restart({ node, files, token }: RestartWish): Promise<void> {
    const { programs } = this.#options;
    const bringUp = await programs.takeDown(node);
    try {
      await this.#stopTraffic(node);
      await this.#machines.add(() => this.#exchange(node, files));
      await this.#boot(node);
    } finally {
      bringUp();
    }
    await this.#startPrograms(node, token);
  }

  /** Flows that begin here. */
  async #stopTraffic(node: string): Promise<void> {
    const { traffic, told } = this.#options;
    const flows = told().experiment.traffic?.filter(({ source }) => source.node === node) ?? [];
    await Promise.all(flows.map(({ name }) => traffic?.stop(name)));
  }

  async #exchange(node: string, files: RestartWish["files"]): Promise<void> {
    const { backend, told, planNode } = this.#options;
    const plan = planNode(told().experiment, node);
    await backend.remove([node], files === "keep" ? "keep-files" : "remove-files");
    await this.#saveLogs(node, files);
    await backend.add([plan]);
  }

  /** What has no copy is not removed. */
  async #saveLogs(node: string, files: RestartWish["files"]): Promise<void> {
    const logs = this.#options.logs();
    const { problems } = await syncLogs({ logs, nodes: [node] });
    const faults = [...problems];
    if (files === "empty") {
      const own = { logs, nodes: [node], force: false, nodesOnly: true };
      faults.push(...(await cleanLogs(own)).problems);
    }
    for (const text of faults) this.#options.onWarning(node, text);
  }

  /** N2. */
  async #boot(node: string): Promise<void> {
    const { backend, boot, told, isEnding } = this.#options;
    try {
      if (isEnding()) throw new Error("the run is ending");
      const running = backend.nodes.get(node);
      if (running !== undefined) await boot()?.bootMore([running], told());
    } catch (error) {
      await this.#machines.add(() => backend.remove([node]));
      throw error;
    }
  }

  /** As a boot does: programs that an event has started are not. */
  async #startPrograms(node: string, token: number | undefined): Promise<void> {
    const { programs, told } = this.#options;
    const own = told().experiment.programs.filter((program) => program.node === node);
    const started = own.filter(({ isStartCommand }) => isStartCommand);
    const how = token === undefined ? {} : { token };
    await Promise.all(started.map(({ name }) => programs.start(name, {}, how)));
  }
}
