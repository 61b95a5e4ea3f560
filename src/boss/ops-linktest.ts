// SPDX-License-Identifier: MIT
// Has the links of an experiment tested from ops, by calling linktest.proxy there through a remote
// shell: it becomes who swapped in, and runs run_linktest. [LINKTEST 1, 10] Who may is decided
// before.
//
//   O1. Whoever cancels has run_linktest told so over there; it sends KILL to every node, and has
//       as long for that as it waits for their answer.
import { join } from "node:path";
import { LaunchError, type RemotePlace, RemoteShell } from "../events/launch/index.ts";
import type { LinktestLevel } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import { BossError } from "./boss-error.ts";
import type { ExperimentRow } from "./database.ts";
import { linktestExtraMs, linktestGraceSeconds } from "./limits.ts";

export interface OpsLinktestOptions {
  /** Template of the remote shell; empty when ops is this machine. */
  readonly shell: string;
  readonly place: RemotePlace;
  /** Command on ops, absolute. */
  readonly proxy: string;
  /** Directory of an experiment with its key and logs, the same on boss and on ops. */
  readonly pathOf: (row: ExperimentRow) => string;
  readonly clock: Clock;
}

export interface OpsLinktestAsked {
  readonly level: LinktestLevel;
  /** Seconds until it is ended; 0: however long it takes. */
  readonly timeoutSeconds: number;
  readonly reportOnly: boolean;
  readonly signal: AbortSignal;
  readonly onOutput: (stream: "stdout" | "stderr", text: string) => void;
}

export class OpsLinktest {
  readonly #options: OpsLinktestOptions;
  readonly #shell: RemoteShell;

  /** @throws LaunchError (REFUSED) for a template that cannot be used */
  constructor(options: OpsLinktestOptions) {
    this.#options = options;
    this.#shell = new RemoteShell(options.shell);
  }

  /** @returns the exit status over there; null when it was cancelled. @throws BossError (OPS) */
  async run(row: ExperimentRow, asked: OpsLinktestAsked): Promise<number | null> {
    const { place, clock } = this.#options;
    const { timeoutSeconds, signal, onOutput } = asked;
    const late = new AbortController();
    const cancel =
      timeoutSeconds === 0
        ? () => undefined
        : clock.after(1_000 * timeoutSeconds + linktestExtraMs, () => late.abort());
    try {
      const ending = await this.#shell.run(place, {
        argv: this.#argv(row, asked),
        ...{ signal: AbortSignal.any([late.signal, signal]), onOutput },
        graceSeconds: linktestGraceSeconds,
      });
      if (ending.cancelled && late.signal.aborted) {
        throw new BossError(
          "OPS",
          `${place.host} did not end the linktest in time; it was cut off`,
        );
      }
      if (ending.cancelled) return null;
      if (ending.exitCode !== null) return ending.exitCode;
      const message = `the linktest on ${place.host} was ended by ${ending.signal}; ask again`;
      throw new BossError("OPS", message);
    } catch (error) {
      throw error instanceof LaunchError ? new BossError("OPS", error.message) : error;
    } finally {
      cancel();
    }
  }

  /** For who swapped in, whoever asks for it now. */
  #argv(row: ExperimentRow, { level, timeoutSeconds, reportOnly }: OpsLinktestAsked): string[] {
    const { pid, eid, swapper } = row;
    if (swapper === null) {
      throw new BossError("WRONG_STATE", `${pid}/${eid} was swapped in by nobody; use muster up`);
    }
    const path = this.#options.pathOf(row);
    return [
      ...[this.#options.proxy, "-d", "2"],
      ...(timeoutSeconds === 0 ? [] : ["-t", String(timeoutSeconds)]),
      ...["-l", String(level), "-g", pid, "-p", pid, "-u", swapper, "-e", `${pid}/${eid}`],
      ...["-o", join(path, "logs/linktest.log"), "--key", join(path, "tbdata/eventkey")],
      ...(reportOnly ? ["-r"] : []),
    ];
  }
}
