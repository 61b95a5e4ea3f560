// SPDX-License-Identifier: MIT
// Schedulers of the experiments of a daemon, as processes: whom each runs as and where its files
// are, and boss's hand on them. [EMULAB-EVENTS 7.5] Who may is decided before.
//
//   U1. A daemon of root starts them as who swapped in, where that is another user of this machine;
//       any other daemon has them for its own user alone.
import { join } from "node:path";
import { type Account, LaunchError, resolveAccount, resolveUser } from "../events/launch/index.ts";
import type { EventControl } from "../testbed/open-run-events.ts";
import type { SplitOptions } from "../testbed/run-scheduler.ts";
import { BossError } from "./boss-error.ts";
import type { ExperimentRow } from "./database.ts";
import type { EventSystem, EventSystemAction, EventSystemOptions } from "./rpc/control.ts";

export interface SchedulersOptions {
  /** Of pid files. */
  readonly runDirectory: string;
  /** Directory with one below it for each experiment, which its scheduler's user can reach. */
  readonly opsDirectory: string;
  /** The command. */
  readonly scheduler: string;
  readonly tevc: string | undefined;
  /** Whether this process may become others. */
  readonly isRoot: boolean;
}

interface Name {
  readonly pid: string;
  readonly eid: string;
}

export class Schedulers {
  readonly #options: SchedulersOptions;

  constructor(options: SchedulersOptions) {
    this.#options = options;
  }

  /** What an experiment has on ops: key, logs, and the log of its scheduler. */
  directoryOf({ pid, eid }: Name): string {
    return join(this.#options.opsDirectory, pid, eid);
  }

  /** @param swapper who swaps it in */
  splitFor(name: Name, swapper: string | null): SplitOptions {
    const { scheduler, runDirectory, tevc } = this.#options;
    const launch = { runDirectory, directory: this.directoryOf(name), tevc };
    return { account: this.#accountOf(name.pid, swapper), scheduler, launch };
  }

  /** U1. With the group that is named like the project, where there is one. */
  #accountOf(pid: string, swapper: string | null): Account | undefined {
    if (!this.#options.isRoot || swapper === null) return undefined;
    try {
      return resolveAccount(swapper, pid, pid);
    } catch (error) {
      if (error instanceof LaunchError) return ownAccount(swapper);
      throw error;
    }
  }
}

/** Undefined for root, and for who is no user of this machine. */
function ownAccount(user: string): Account | undefined {
  try {
    return resolveUser(user);
  } catch (error) {
    if (error instanceof LaunchError) return undefined;
    throw error;
  }
}

interface ExperimentsWithEvents {
  /** Undefined while the experiment has no scheduler. */
  eventsOf(row: ExperimentRow): EventControl | undefined;
}

/** Acts on the schedulers that the experiments of this daemon have. */
export class OwnEvents implements EventSystem {
  readonly #experiments: ExperimentsWithEvents;

  constructor(experiments: ExperimentsWithEvents) {
    this.#experiments = experiments;
  }

  /** @throws BossError (OPS, WRONG_STATE) */
  async control(
    row: ExperimentRow,
    action: EventSystemAction,
    _user: string,
    { debug }: EventSystemOptions,
  ): Promise<string> {
    const control = this.#experiments.eventsOf(row);
    if (control === undefined) {
      const message = `${row.pid}/${row.eid} has no scheduler yet, or no more; see: muster status ${row.eid}`;
      throw new BossError("WRONG_STATE", message);
    }
    try {
      return await control.control(action, { debug });
    } catch (error) {
      if (error instanceof LaunchError) throw new BossError("OPS", error.message);
      throw error;
    }
  }
}
