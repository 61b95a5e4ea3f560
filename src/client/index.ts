// SPDX-License-Identifier: MIT
// `musterd/client`: what programs import, in browsers and in Node. Nothing that this file reaches
// is of a server or of Node; test/unit/client/imports.test.ts proves it.

export type { RosterMember } from "../core/barriers/commands.ts";
export type { BarrierDescription, ScopeDescription } from "../core/description.ts";
export type { Crossing, EndOptions, FailOptions } from "./barrier-requests.ts";
export type { Going } from "./common-clock.ts";
export { connect } from "./connect.ts";
export type { ConnectOptions } from "./connect-options.ts";
export type { CountBarrier, InitOptions } from "./count-barrier.ts";
export type { Counter } from "./counter.ts";
export type { BarrierDeadline } from "./deadline.ts";
export type { CandidateOptions, Election, Leadership } from "./election.ts";
export type { Latch } from "./latch.ts";
export {
  MusterError,
  type MusterErrorCode,
  type PartyFacts,
  type PartyLists,
} from "./muster-error.ts";
export type { Peers } from "./peers.ts";
export type { ClientPlatform, WebSocketLike } from "./platform.ts";
export type {
  QuorumBarrier,
  QuorumDriver,
  QuorumInitOptions,
  QuorumSize,
} from "./quorum-barrier.ts";
export type { ArrivalOptions, RequestOptions, WaitOptions } from "./request-options.ts";
export type {
  Inside,
  PhaseCrossing,
  PhaseOptions,
  RosterBarrier,
  RosterChanges,
  RosterOptions,
} from "./roster-barrier.ts";
export type { ClientRuntime } from "./runtime.ts";
export type { Session } from "./session.ts";
export type { SignalledCrossing, SignalOptions, StateBarrier } from "./state-barrier.ts";
export type { PublishAndWaitOptions, PublishedCrossing, Topic } from "./topic.ts";
export type { SubscribeOptions, TopicMessage, TopicSubscription } from "./topic-subscription.ts";
