// SPDX-License-Identifier: MIT
// What a run is asked for: by `muster run`, by the daemon, by tests.
import type { Limits } from "../core/limits.ts";
import type { TlsIdentity } from "../edges/tmcd/index.ts";
import type { Tables } from "../experiment/index.ts";
import type { Experiment } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { Level } from "../linktest/index.ts";
import type { BackendKind } from "../network/choose-backend.ts";
import type { MachinesWish } from "./machines/index.ts";
import type { RunControl } from "./modify-run.ts";
import type { NodeWatch } from "./node-boot.ts";
import type { NodeMode } from "./nodes/index.ts";
import type { EventControl } from "./open-run-events.ts";
import type { WantedNetwork } from "./plan-network.ts";
import type { EarlyWatch, RunWatcher } from "./run-event.ts";
import type { SplitOptions } from "./run-scheduler.ts";

export interface RunOptions {
  readonly experiment: Experiment;
  /** Table rows of the file, for what nodes ask and the model does not hold. */
  readonly tables?: Tables | undefined;
  /** The experiment file, as the user named it. */
  readonly file: string;
  /** The command line that repeats the run, if there is one. */
  readonly command?: string;
  /** Directory of the experiment file, absolute: nodes see it as `/proj/<pid>/data`. */
  readonly projectFiles: string;
  readonly runId: string;
  /** Absolute; made by the caller. */
  readonly out: string;
  readonly seed: number;
  /** Ends the run this long after time 0; 0 for never. */
  readonly durationSeconds: number;
  /** It is not over for having nothing to do, where its file starts no program; left out: it is. */
  readonly staysUp?: boolean;
  /** Ends the run when all programs have waited this long for who cannot come; 0: never. */
  readonly stuckSeconds: number;
  readonly nodeMode?: NodeMode;
  /** Left out: a network of their own for nodes of a file with links, where the machine can. */
  readonly network?: WantedNetwork | undefined;
  /** Nodes are on these; left out: on this machine. */
  readonly machines?: MachinesWish | undefined;
  /** Tests the links before time 0, up to this stage. */
  readonly linktestLevel?: Level | undefined;
  /**
   * Has somebody else do that, who says START and COMPLETE over the bus; left out: the run does.
   * @param signal the run ends
   * @returns what to tell of it; undefined for nothing
   */
  readonly testLinks?:
    | ((level: Level, signal: AbortSignal) => Promise<string | undefined>)
    | undefined;
  /** The experiment with what was set of its links since; left out: it is as the file says. */
  readonly linksAsked?: ((experiment: Experiment) => Experiment) | undefined;
  /** What shapes the links of that network; left out: what works best here. */
  readonly links?: BackendKind | undefined;
  /** Of the delay node of each machine; left out: as many as its links need. */
  readonly linkThreads?: number | undefined;
  /** Command name on the nodes -> executable; `emulab-syncd` among them. */
  readonly tools: Readonly<Record<string, string>>;
  /** The configuration server speaks TLS, too. */
  readonly tls?: TlsIdentity | undefined;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly watch: RunWatcher;
  /** Who must not wait until time 0. */
  readonly early?: EarlyWatch | undefined;
  readonly nodeWatch?: NodeWatch | undefined;
  /** A command line that mails reports, with headers in front; left out, none is mailed. */
  readonly mailer?: string | undefined;
  /** The scheduler is a process of its own. */
  readonly split?: SplitOptions | undefined;
  /** Called when its scheduler is one that can be stopped and started. */
  readonly onEventControl?: (control: EventControl) => void;
  /** Ends the run as interrupted. */
  readonly interrupt: AbortSignal;
  /** Called at time 0 with what can be asked of the run from then on. */
  readonly onActive?: (control: RunControl) => void;
}
