// SPDX-License-Identifier: MIT
// How schedulers of experiments are started and stopped on ops.

export {
  type Account,
  commandAs,
  commandAsSelf,
  environmentOf,
  readFileAs,
  resolveAccount,
  resolveUser,
} from "./account.ts";
export { type AttendedOptions, AttendedScheduler } from "./attended-scheduler.ts";
export { type ExperimentName, formatExperiment, parseExperiment } from "./experiment-name.ts";
export { type HelperEnding, runHelper } from "./helper.ts";
export { closeInheritedDescriptors } from "./inherited-descriptors.ts";
export { LaunchError } from "./launch-error.ts";
export { defaultLaunchLimits, resolveLaunchLimits } from "./launch-limits.ts";
export { type Controlled, type LaunchedOptions, LaunchedScheduler } from "./launched-scheduler.ts";
export {
  type Farewell,
  type LaunchAction,
  type LaunchRequest,
  launch,
  launchActions,
} from "./launcher.ts";
export { defaultRunDirectory } from "./pid-file.ts";
export { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";
export {
  type RemoteCommand,
  type RemoteEnding,
  type RemotePlace,
  RemoteShell,
} from "./remote-shell.ts";
export type { Companion } from "./supervisor-main.ts";
