// SPDX-License-Identifier: MIT
// Codec of the node configuration wire: request lines, the command table, reply texts.
// [EMULAB-TMCD]
//
// Limitations: replies have no length and no status; an empty one is nothing configured, refused or
// broken alike. Values cannot hold newlines. Formats of accounts, jails, tunnels, packet traces,
// firewalls and TPM are not among these: nothing here is configured with them.
export {
  type PortArguments,
  parsePortArguments,
  parseStartStatus,
  parseState,
} from "./arguments.ts";
export { type CommandName, findCommand, type TmcdCommand, tmcdCommands } from "./commands.ts";
export {
  alternatePort,
  idKeyCharsMax,
  mainPort,
  privateKeyCharsMax,
  privateKeyCharsMin,
  protocolVersion,
  replyBytesMaxUdp,
  requestBytesMaxTcp,
  requestBytesMaxUdp,
  serviceCharsMax,
  sslTag,
  startStatusUnknown,
  stateCharsMax,
  versionWhenAbsent,
  vnodeIdCharsMax,
} from "./constants.ts";
export {
  formatLinktestMap,
  formatTopologyMap,
  type LinktestEdge,
  type LinktestMap,
  type TopologyMap,
} from "./maps.ts";
export {
  formatDelays,
  formatHosts,
  formatInterfaces,
  formatLinkDelays,
  formatRouting,
} from "./network-replies.ts";
export {
  formatPart,
  type HostLine,
  parseCreator,
  parseEventKey,
  parseFullConfig,
  parseHosts,
  parseKeyHash,
  parsePort,
  parseRedirect,
  parseStatus,
  parseSyncServer,
  type Status,
} from "./parse-replies.ts";
export {
  formatBlobs,
  formatCreator,
  formatEventKey,
  formatIdleWatch,
  formatKeyHash,
  formatMounts,
  formatNtp,
  formatPingOfDeath,
  formatPort,
  formatPrograms,
  formatReadyCount,
  formatRpms,
  formatStartupCommand,
  formatStatus,
  formatSyncServer,
  formatTarballs,
  formatTraffic,
  formatUpdate,
  formatUserEnvironment,
  formatVirtualNodes,
  formatWatchIntervals,
  formatWord,
} from "./replies.ts";
export {
  formatRequest,
  parseRequest,
  type RefusalCode,
  type RefusedRequest,
  type RequestOptions,
  type RequestToFormat,
  type TmcdRequest,
} from "./request.ts";
export type * from "./rows.ts";
export { type SplitText, splitRequests } from "./split.ts";
