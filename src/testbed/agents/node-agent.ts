// SPDX-License-Identifier: MIT
// Node agent: obeys NODE events. A node of a run is processes, so that REBOOT and RELOAD restart it
// and there is no image to make or to load. Nodes of a group come here one by one, each with a
// queue and a completion of its own (faults 16, 20). [EMULAB-EVENTS 2.8 NODE]
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import { getArg } from "../../wire/event/args.ts";
import type { ExperimentLogs } from "../logs/experiment-logs.ts";
import { withDirectories } from "../logs/log-tree.ts";
import type { NodeChanges } from "../node-changes.ts";
import type { NodeRestarter, RestartWish } from "../restart-node.ts";
import { controlFile } from "./error-details.ts";
import {
  begun,
  type Completion,
  type ObjectAgent,
  type Performed,
  type PerformOptions,
  succeeded,
} from "./performed.ts";
import { failedError, refused } from "./program-result.ts";
import { WorkQueue } from "./work-queue.ts";

export interface NodeAgentOptions {
  readonly clock: Clock;
  readonly restarter: Pick<NodeRestarter, "refusal" | "restart">;
  readonly changes: NodeChanges;
  readonly logs: () => ExperimentLogs;
  /** A node is up again. */
  readonly onRestarted: (node: string) => void;
}

export class NodeAgent implements ObjectAgent {
  readonly #options: NodeAgentOptions;
  readonly #queues = new Map<string, WorkQueue>();

  constructor(options: NodeAgentOptions) {
    this.#options = options;
  }

  async perform(
    { object: node, event, args }: AgendaEvent,
    { token }: PerformOptions,
  ): Promise<Performed> {
    const nowUs = this.#options.clock.nowUs();
    switch (event) {
      case "REBOOT":
        return await this.#beginRestart({ node, files: "keep", token });
      case "RELOAD": {
        const image = getArg(args, "IMAGE");
        if (image === undefined) return await this.#beginRestart({ node, files: "empty", token });
        return refused(nowUs, `nodes of a run have no images: RELOAD without -image ${image}`);
      }
      case "SNAPSHOT":
        return refused(
          nowUs,
          "nodes of a run have no images, so that none can be made; copy files",
        );
      default:
        return refused(
          nowUs,
          `NODE ${event} is not built: nodes of a run are nowhere and do not move`,
        );
    }
  }

  /** Resolves when no node is being restarted. */
  async settle(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.settle()));
  }

  /** What is refused at once has not been done, not even begun. */
  async #beginRestart(wish: RestartWish): Promise<Performed> {
    const nowUs = this.#options.clock.nowUs();
    const refusal = this.#options.restarter.refusal(wish.node);
    if (refusal === undefined) return begun(nowUs, this.#restart(wish));
    const text = describeFailure(wish, refusal);
    await this.#writeControl(wish, text);
    return refused(nowUs, text);
  }

  #restart(wish: RestartWish): Promise<Completion> {
    const { restarter, changes, onRestarted } = this.#options;
    return this.#queueOf(wish.node).add(async () => {
      try {
        return await changes.single(async () => {
          const refusal = restarter.refusal(wish.node);
          if (refusal !== undefined) throw new Error(refusal);
          await restarter.restart(wish);
          onRestarted(wish.node);
          return succeeded;
        });
      } catch (error) {
        const text = describeFailure(wish, errorText(error));
        await this.#writeControl(wish, text);
        return { error: failedError, text };
      }
    });
  }

  /** For whoever reads files, and the report; the completion says the same. */
  async #writeControl({ node, token = 0 }: RestartWish, text: string): Promise<void> {
    try {
      const { experiment } = this.#options.logs();
      await withDirectories(experiment, ["logs", node], ({ at }) =>
        writeFile(join(at, controlFile(token)), `${text}\n`, { mode: 0o640, flag: "wx" }),
      );
    } catch {
      // A program has put something there.
    }
  }

  #queueOf(node: string): WorkQueue {
    const known = this.#queues.get(node);
    if (known !== undefined) return known;
    const queue = new WorkQueue();
    this.#queues.set(node, queue);
    return queue;
  }
}

function describeFailure({ node }: RestartWish, why: string): string {
  return `${node} was not restarted: ${why}`;
}
