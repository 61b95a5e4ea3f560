// SPDX-License-Identifier: MIT
// What a host is made with.
import type { LogEntry } from "../core/command.ts";
import type { Applied } from "../core/effect.ts";
import type { CoreLimits, Limits } from "../core/limits.ts";
import type { Service } from "../core/service.ts";
import type { Log, LogError } from "../engine/log.ts";
import type { Payloads } from "../engine/payloads.ts";
import type { Clock } from "./clock.ts";
import type { EffectStore } from "./effect-store.ts";
import type { Logger } from "./logger.ts";

/** Sees every entry with what it led to; decides nothing. */
export type Observer = (entry: LogEntry, applied: Applied) => void;

/** Where a host begins that does not read the whole log (D11). */
export interface SnapshotSource {
  /** Brings both to the newest snapshot that is good, or to the beginning. @throws LogError */
  load(into: { readonly core: Service; readonly store: EffectStore }): Promise<void>;
}

export interface HostOptions {
  readonly log: Log;
  /** Absent where every start reads the whole log. */
  readonly snapshots?: SnapshotSource;
  /** The messages of topics; in memory when absent, which goes with a log in memory only. */
  readonly payloads?: Payloads;
  readonly clock: Clock;
  /** Those of the core decide until the log says which do (core/told-limits.ts). */
  readonly limits: Limits;
  /**
   * What of them is to hold in the log, because whoever started the server said so; absent, those
   * that are no defaults.
   */
  readonly toldLimits?: Partial<CoreLimits>;
  readonly logger: Logger;
  /** A tick each second also without deadlines, so that log time never falls behind (D2). */
  readonly steadyTicks?: boolean;
  /** Names the incarnations of local edges; a simulation gives its own, for the same run twice. */
  readonly newIncarnation?: () => number;
  /** Told of each entry that the log took, and how long that was. */
  readonly onAppended?: (tookUs: number) => void;
  /** The name of this server among those of a log that several have. */
  readonly server?: string;
  /** Said when another one has joined under that name; the usual advice when absent. */
  readonly whenReplaced?: string;
  /** Its version, for those who compare states (D11). */
  readonly build?: string;
  /** Entries from one comparison of states to the next. */
  readonly digestEveryEntries?: number;
  /** The host has stopped, because it may not or cannot go on. */
  readonly onFailed?: (error: LogError) => void;
}
