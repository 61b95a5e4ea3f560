// SPDX-License-Identifier: MIT
// The experiments database and the daemon that keeps it.

export { BossBus, bossObjects } from "./boss-bus.ts";
export { BossError, type BossErrorCode } from "./boss-error.ts";
export { Daemon, type DaemonOptions, type LinktestPlace, type XmlRpcPlace } from "./daemon.ts";
export { connectDaemon, type DaemonLink } from "./daemon-client.ts";
export {
  type ExperimentRow,
  ExperimentsDatabase,
  type HistoryEntry,
  type Member,
  type RunRow,
} from "./database.ts";
export type { SendToRun } from "./experiment-control.ts";
export type {
  EndedRun,
  ExperimentDetails,
  ExperimentStatus,
  Modified,
  NodeKind,
} from "./experiment-views.ts";
export type { FindMachines } from "./experiments.ts";
export {
  type BossLimits,
  connectAgainMs,
  daemonStartMsMax,
  defaultBossLimits,
  resolveBossLimits,
  stopMsMax,
} from "./limits.ts";
export type { LinkSettingsAsked, LinkSettingsDone } from "./link-control.ts";
export type { LinktestEnded, LinktestRunner } from "./linktests.ts";
export type { LiveStatus, OpenBarrier } from "./live-run.ts";
export type { MemberChange } from "./members.ts";
export {
  findResults,
  findStoredRuns,
  type KeepRules,
  nameRun,
  planRemoval,
  removeRun,
  type StoredRun,
} from "./old-runs.ts";
export { OpsEvents } from "./ops-events.ts";
export type { Answer, ModifyRequest, Request, StatusOfAll, UpRequest } from "./protocol.ts";
export { decode } from "./read-beside.ts";
export { parseYamlText } from "./read-yaml.ts";
export type { Trust } from "./rights.ts";
export { Schedulers } from "./schedulers.ts";
export { isLocked } from "./schema.ts";
export {
  checkStateDirectory,
  experimentDirectory,
  prepareStateDirectory,
  resolveStateDirectory,
  type StateDirectory,
} from "./state-directory.ts";
export { DatabaseStaticData } from "./static-data.ts";
