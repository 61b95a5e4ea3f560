// SPDX-License-Identifier: MIT
// The agents that act for the whole run and remember something: the simulator, and the agent of the
// nodes. Made once for a run, whatever is modified in it; decides nothing.
import { join } from "node:path";
import type { Clock } from "../host/clock.ts";
import type { AgendaRequests } from "./agenda-requests.ts";
import { Reporter } from "./agents/make-report.ts";
import { NodeAgent } from "./agents/node-agent.ts";
import type { ProgramAgent } from "./agents/program-agent.ts";
import { reportLimits } from "./agents/report-limits.ts";
import { SimulatorAgent } from "./agents/simulator-agent.ts";
import type { TrafficAgent } from "./agents/trafgen/traffic-agent.ts";
import { LinktestAgent } from "./linktest/linktest-agent.ts";
import type { ExperimentLogs } from "./logs/experiment-logs.ts";
import type { NodeBoot, Told } from "./node-boot.ts";
import { NodeChanges } from "./node-changes.ts";
import type { NodeBackend } from "./nodes/index.ts";
import { within } from "./nodes/within.ts";
import { NodeRestarter } from "./restart-node.ts";
import type { Announcement } from "./run-bus.ts";
import type { RunEventBody } from "./run-event.ts";
import { domain, planNode, syncPort } from "./run-nodes.ts";
import type { RunOptions } from "./run-options.ts";
import type { TimeBase } from "./time-base.ts";

export interface LocalAgentsOptions {
  readonly run: Pick<RunOptions, "clock" | "out" | "projectFiles" | "mailer" | "interrupt">;
  readonly backend: NodeBackend;
  readonly programs: ProgramAgent;
  readonly traffic: TrafficAgent | undefined;
  readonly boot: () => NodeBoot | undefined;
  /** What the run is now. */
  readonly told: () => Told;
  /** The errors of an agenda since they were last taken. */
  readonly takeErrors: AgendaRequests["takeErrors"];
  readonly time: TimeBase;
  readonly isEnding: () => boolean;
  readonly onTerminate: () => void;
  readonly say: (body: RunEventBody) => void;
  /** Over the bus, to whoever listens. */
  readonly announce: (what: Announcement) => void;
}

export class LocalAgents {
  readonly simulator: SimulatorAgent;
  readonly nodes: NodeAgent;
  readonly linktest: LinktestAgent;
  readonly changes: NodeChanges = new NodeChanges();
  readonly #clock: Clock;
  readonly #giveUp = new AbortController();

  constructor(options: LocalAgentsOptions) {
    this.#clock = options.run.clock;
    const logs = (): ExperimentLogs => logsOf(options);
    this.simulator = this.#makeSimulator(options, logs);
    this.linktest = new LinktestAgent({ ...options, ...options.run, syncPort });
    this.nodes = new NodeAgent({
      ...{ clock: this.#clock, changes: this.changes, logs },
      restarter: new NodeRestarter({
        ...{ ...options, planNode, logs },
        onWarning: (node, text) => options.say({ type: "message", level: "warning", node, text }),
      }),
      onRestarted: (node) =>
        options.say({ type: "message", level: "info", node, text: "the node was restarted" }),
    });
  }

  /** Resolves when what is under way has ended, or has had its time. */
  async settle(): Promise<void> {
    await this.linktest.close();
    const all = Promise.all([this.simulator.settle(), this.nodes.settle()]);
    await within(this.#clock, all, reportLimits.settleMsMax);
    this.#giveUp.abort();
  }

  #makeSimulator(options: LocalAgentsOptions, logs: () => ExperimentLogs): SimulatorAgent {
    const { run, time, told, takeErrors, onTerminate, say } = options;
    const { clock, projectFiles, mailer, interrupt } = run;
    const reporter = new Reporter({
      ...{ clock, logs, projectFiles, domain, mailer },
      experiment: () => told().experiment,
      interrupt: AbortSignal.any([interrupt, this.#giveUp.signal]),
    });
    return new SimulatorAgent({
      ...{ clock, logs, onTerminate },
      elapsedUs: () => (time.isSet ? time.fromMonotonic(clock.nowUs()) : undefined),
      takeErrors,
      makeReport: (wish) => reporter.make(wish),
      onMessage: (text) => say({ type: "message", level: "info", node: null, text }),
      onWarning: (text) => say({ type: "message", level: "warning", node: null, text }),
    });
  }
}

/** Also of nodes that have gone: their logs are there. */
function logsOf({ run, told, backend }: LocalAgentsOptions): ExperimentLogs {
  const names = new Set([
    ...told().experiment.nodes.map(({ name }) => name),
    ...backend.nodes.keys(),
  ]);
  return {
    experiment: join(run.out, "proj"),
    nodesDirectory: join(run.out, "nodes"),
    nodes: [...names].sort(),
  };
}
