// SPDX-License-Identifier: MIT
// Boss's hand on ops: has the schedulers of experiments started, stopped and replaced there, by
// calling eventsys.proxy through a remote shell. [EMULAB-EVENTS 7.5] Who may is decided before.
import { join } from "node:path";
import { LaunchError, type RemotePlace, RemoteShell } from "../events/launch/index.ts";
import type { Clock } from "../host/clock.ts";
import { BossError } from "./boss-error.ts";
import type { ExperimentRow } from "./database.ts";
import { opsAnswerMsMax, opsOutputBytesMax } from "./limits.ts";
import type { EventSystem, EventSystemAction, EventSystemOptions } from "./rpc/control.ts";

export interface OpsEventsOptions {
  /** Template of the remote shell; empty when ops is this machine. */
  readonly shell: string;
  readonly place: RemotePlace;
  /** Command on ops, absolute. */
  readonly proxy: string;
  /** Directory of an experiment, the same on boss and on ops. */
  readonly pathOf: (pid: string, eid: string) => string;
  readonly clock: Clock;
  /** Ends what is on its way, on both machines. */
  readonly signal: AbortSignal;
}

export class OpsEvents implements EventSystem {
  readonly #options: OpsEventsOptions;
  readonly #shell: RemoteShell;

  /** @throws BossError (BAD_REQUEST) for a template that cannot be used */
  constructor(options: OpsEventsOptions) {
    this.#options = options;
    try {
      this.#shell = new RemoteShell(options.shell);
      this.#shell.argvFor(options.place, [options.proxy]);
    } catch (error) {
      throw opsError(error, "BAD_REQUEST");
    }
  }

  /** @returns what eventsys.proxy had to say. @throws BossError (OPS, WRONG_STATE) */
  async control(
    row: ExperimentRow,
    action: EventSystemAction,
    _user: string,
    options: EventSystemOptions,
  ): Promise<string> {
    const { place, clock } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(opsAnswerMsMax, () => late.abort());
    let output = "";
    try {
      const ending = await this.#shell.run(place, {
        argv: this.#argv(row, action, options),
        signal: AbortSignal.any([late.signal, this.#options.signal]),
        onOutput(_stream, text) {
          output = (output + text).slice(-opsOutputBytesMax);
        },
      });
      if (ending.exitCode === 0) return output.trimEnd();
      throw new BossError("OPS", describe(place, ending, output));
    } catch (error) {
      throw opsError(error, "OPS");
    } finally {
      cancel();
    }
  }

  /** The scheduler acts for who swapped in, whoever asks for it now. */
  #argv(row: ExperimentRow, action: EventSystemAction, options: EventSystemOptions): string[] {
    const { pid, eid, swapper } = row;
    if (swapper === null) {
      throw new BossError("WRONG_STATE", `${pid}/${eid} was swapped in by nobody; use muster up`);
    }
    const path = this.#options.pathOf(pid, eid);
    return [
      ...[this.#options.proxy, "-u", swapper, "-g", pid, "-p", pid, "-e", `${pid}/${eid}`],
      ...["-k", join(path, "tbdata/eventkey"), "-l", join(path, "logs/event-sched.log")],
      ...(options.opsAgent ? ["-a"] : []),
      ...(options.debug ? ["-d"] : []),
      action,
    ];
  }
}

function describe(
  { host }: RemotePlace,
  {
    exitCode,
    signal,
    cancelled,
  }: { exitCode: number | null; signal: string | null; cancelled: boolean },
  output: string,
): string {
  const said = output.trim();
  if (cancelled) return `${host} did not answer in time, or boss is ending; ask again`;
  const how = signal === null ? `status ${exitCode}` : `signal ${signal}`;
  return said === "" ? `eventsys.proxy on ${host} ended with ${how} and said nothing` : said;
}

function opsError(error: unknown, code: "BAD_REQUEST" | "OPS"): unknown {
  return error instanceof LaunchError ? new BossError(code, error.message) : error;
}
