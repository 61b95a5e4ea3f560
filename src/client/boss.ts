// SPDX-License-Identifier: MIT
// The client of boss, for programs that embed it: calls of its methods, and the static data of an
// experiment.

export {
  BossCallError,
  type BossReply,
  callBoss,
  clientVersion,
  experimentMembers,
  type Members,
  type XmlRpcTransport,
} from "./boss-client.ts";
export { type BossHttps, type BossHttpsOptions, openBossHttps } from "./boss-https.ts";
export { RemoteStaticData } from "./remote-static-data.ts";
export type {
  AgentRow,
  EventRow,
  ExperimentMetadata,
  GroupRow,
  StaticData,
  TimelineStart,
} from "./static-data.ts";
