// SPDX-License-Identifier: MIT
// What the methods can have done to experiments and their nodes; boss does it, they only ask.
import type { ExperimentRow } from "../database.ts";

/** Starts and ends the event systems of experiments. */
export interface EventSystem {
  /** @throws BossError */
  control(
    row: ExperimentRow,
    action: EventSystemAction,
    user: string,
    options: EventSystemOptions,
  ): Promise<string>;
}

export interface EventSystemOptions {
  /** The scheduler says more in its log. */
  readonly debug: boolean;
  /** Programs of the experiment run on ops, too. */
  readonly opsAgent: boolean;
}

export const eventSystemActions = ["start", "stop", "replay"] as const;
export type EventSystemAction = (typeof eventSystemActions)[number];

/** What the methods can have done. */
export interface ExperimentControl {
  /** Swaps in what the database holds. Resolves when it is on its way. @throws BossError */
  swapIn(row: ExperimentRow, user: string): Promise<{ readonly active: Promise<boolean> }>;
  /** Begins the swap-out; resolves when it is over. @throws BossError, at once */
  swapOut(row: ExperimentRow, user: string): Promise<void>;
  /** Undefined while experiments have no event system of their own. */
  readonly events: EventSystem | undefined;
  /**
   * Makes an experiment that is up into what a text says. @returns what changed @throws BossError
   */
  modify(row: ExperimentRow, source: string, user: string): Promise<string>;
  /** Undefined where runs cannot be sent events. */
  readonly nodes: NodeControl | undefined;
}

/** Restarts nodes of experiments that are up. */
export interface NodeControl {
  /**
   * Resolves when it has begun, or when the node is up again.
   *
   * @param node its name in the experiment
   * @throws BossError
   */
  restart(row: ExperimentRow, node: string, how: RestartHow): Promise<void>;
}

export interface RestartHow {
  readonly event: "REBOOT" | "RELOAD";
  readonly waits: boolean;
  /** The caller has gone. */
  readonly signal: AbortSignal;
}
