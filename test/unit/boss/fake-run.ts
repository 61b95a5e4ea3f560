// SPDX-License-Identifier: MIT
// Runs without nodes: they say what `runExperiment` would say, and end when they are told to.
import { NetworkError } from "../../../src/network/link-backend.ts";
import { noEvents } from "../../../src/testbed/modify-agenda.ts";
import type { RunControl } from "../../../src/testbed/modify-run.ts";
import type {
  EndedBy,
  RunEvent,
  RunEventBody,
  RunStarted,
} from "../../../src/testbed/run-event.ts";
import type { RunOptions } from "../../../src/testbed/run-options.ts";

export type FakeMode = "active" | "activating" | "fails" | "throws" | "deaf";

/** Runs that were started, in order. */
export class FakeRuns {
  readonly runs: FakeRun[] = [];
  /** What the next run does. */
  mode: FakeMode = "active";
  /** What runs do when they are modified; tests put their own in its place. */
  modify: RunControl["modify"] = ({ experiment }) =>
    Promise.resolve({ experiment, lost: [], events: noEvents, warnings: [] });

  readonly run = async (options: RunOptions): Promise<void> => {
    const run = new FakeRun(options);
    this.runs.push(run);
    const { mode } = this;
    if (mode === "throws") throw new Error("a planted fault");
    run.say({ ...runStarted, experiment: `${options.experiment.pid}/${options.experiment.eid}` });
    if (mode === "fails") {
      run.end("failure", { code: "SWAP_IN", message: "no room" });
      return run.ended;
    }
    for (const { name } of options.experiment.nodes) run.say({ type: "node-up", node: name });
    options.onActive?.({
      modify: (modification) => this.modify(modification),
      links: () => Promise.reject(new NetworkError("it has no links")),
      linkHealth: () => undefined,
      testLinks: async () => undefined,
    });
    if (mode !== "activating") run.activate();
    const interrupted = { code: "INTERRUPTED", message: "interrupted" };
    const onInterrupt = (): void => run.end("interrupt", interrupted);
    if (mode !== "deaf") {
      if (options.interrupt.aborted) onInterrupt();
      options.interrupt.addEventListener("abort", onInterrupt);
    }
    return run.ended;
  };
}

export class FakeRun {
  readonly options: RunOptions;
  readonly ended: Promise<void>;
  #resolve: () => void = () => undefined;
  #isEnded = false;

  constructor(options: RunOptions) {
    this.options = options;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  say(body: RunEventBody): void {
    this.options.watch({ ...body, atUs: 0 } as RunEvent);
  }

  /** Time 0. */
  activate(): void {
    const commands = [{ kind: "agenda-start", scope: "s" }] as const;
    const batches = [{ edge: "testbed", incarnation: 1, number: 1, commands }];
    const entry = { sequence: 1, stampUs: 0, entry: { format: 1, batches } } as const;
    this.say({ type: "log", entry });
  }

  end(endedBy: EndedBy, error: { code: string; message: string } | null = null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.say({ type: "run-ended", endedBy, error });
    this.#resolve();
  }
}

export const runStarted: RunStarted = {
  type: "run-started",
  ...{ runId: "r", experiment: "", file: "/a.ns", seed: 1, startedWallMs: 0, zeroMonotonicUs: 0 },
  ...{ out: "/r", syncServer: null, backend: { nodes: "process", links: "none" } },
  ...{ nodes: [], programs: [], eventsPlanned: 0, lost: [] },
};
