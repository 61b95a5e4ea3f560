// SPDX-License-Identifier: MIT
// Every bound of the core and the servers, with its unit, in one place. Over a limit the answer
// names the limit and how to raise it (`--limit NAME=VALUE`). Experiment files have their own
// bounds in experiment/limits.ts. Each bound is tested at the limit and one past it.
import { assert } from "./assert.ts";

/**
 * What decides in the core. They are part of its state: a log says which hold (D12,
 * told-limits.ts), so that all that read it judge alike, now and at every replay.
 */
export interface CoreLimits {
  /** Bytes (UTF-8) in the name of a barrier, scope or edge on a native door; syncd carries 63. */
  readonly nameBytesMax: number;
  readonly scopesMax: number;
  readonly barriersPerScopeMax: number;
  readonly waitersPerBarrierMax: number;
  /** Of all barriers of a scope. */
  readonly waitersPerScopeMax: number;
  /** Outcomes kept per scope for barriers that are gone (B8); the oldest is dropped first. */
  readonly closedBarriersPerScopeMax: number;
  readonly membersPerRosterMax: number;
  /** Peers of a scope, named and unnamed. */
  readonly peersPerScopeMax: number;
  /** Log time within which all sub-controllers have answered the init of a quorum. */
  readonly quorumInitUs: number;
  /** Log time within which a driver has answered that its quorum has crossed (D9). */
  readonly quorumEchoUs: number;
  /** Sub-controllers of a scope. */
  readonly childrenPerScopeMax: number;
  /** Messages for another controller that it has not taken; one more, and the link begins anew. */
  readonly treeOutboxMax: number;
  /** Log time from one report to the controller above to the next. */
  readonly treeFlushUs: number;
  /** Parts of barriers in one report; the others go with the next. */
  readonly treeReportMax: number;
  /** Log time after which those below are told how a barrier stands that is not over yet. */
  readonly treeNewsUs: number;
  /** Orders for the root of a scope's tree that it has not answered. */
  readonly treeAsksMax: number;
  /** Bytes (UTF-8) in the reason why somebody fails or cancels a barrier. */
  readonly reasonBytesMax: number;
  readonly topicsPerScopeMax: number;
  /** Bytes (UTF-8) of one message of a topic. */
  readonly messageBytesMax: number;
  /** Bytes of all messages of a scope's topics, and `payloadOverheadBytes` for each. */
  readonly topicBytesPerScopeMax: number;
  /** Time from a crossing to the instant at which those go on who go together. */
  readonly togetherLeadUsMax: number;
  readonly eventsPerScopeMax: number;
  /** Bytes (UTF-8) in the arguments of an event that comes later than the plan. */
  readonly eventArgsBytesMax: number;
  /** Errors of events kept until a report takes them; the oldest is dropped first. */
  readonly errorRecordsPerScopeMax: number;
  /** Sequences and timelines that one command, or one instant, may start. */
  readonly startsAtOnceMax: number;
  readonly edgesMax: number;
  /** Log time a lost edge keeps its participants when it has not asked for another time. */
  readonly edgeLeaseUs: number;
  /** The longest lease that an edge may ask for. */
  readonly edgeLeaseUsMax: number;
  /** Log time after which a wait is reported once with the list of who is missing (B10). */
  readonly warnAfterUs: number;
  /** Log time an event is sent to its performer before it is due (D8). */
  readonly dispatchAheadUs: number;
  /** What would be sent out within this log time goes along with what has to be (D8). */
  readonly dispatchTogetherUs: number;
  /** Later than this an event that says nothing else is late (D8). */
  readonly eventToleranceUs: number;
  /** Log time from an event's instant to the deadline of its completion, if it says no other. */
  readonly completionDeadlineUs: number;
  /** Names in one "who is missing" or "who arrived" list; the rest is a number. */
  readonly namesInReportMax: number;
}

/** What is no state: how a process queues and sends, and how much one look shows of it. */
export interface ProcessLimits {
  /** Messages that one read of a topic gives. */
  readonly messagesPerReadMax: number;
  /** Events in one page of a list. */
  readonly eventsPerPageMax: number;
  /** Barriers of one page of a list. */
  readonly barriersPerPageMax: number;
  /** Names at the barriers of one page; the one at which it is reached is the last of the page. */
  readonly namesPerPageMax: number;
  /** Commands an edge may have queued or in flight before `submit` refuses. */
  readonly mailboxCommandsMax: number;
  /** Commands in one log entry. */
  readonly entryCommandsMax: number;
  readonly appendsInFlightMax: number;
  /** Bytes in one frame of the link between an edge and its core. */
  readonly linkFrameBytesMax: number;
  /** Bytes an edge may leave unread on its link before the core drops it. */
  readonly linkQueueBytesMax: number;
}

export interface Limits extends CoreLimits, ProcessLimits {}

/** A build in which one of these is another raises the version of the log (version.ts). */
export const defaultCoreLimits: CoreLimits = {
  nameBytesMax: 255,
  scopesMax: 1_000,
  barriersPerScopeMax: 10_000,
  waitersPerBarrierMax: 100_000,
  waitersPerScopeMax: 1_000_000,
  closedBarriersPerScopeMax: 10_000,
  membersPerRosterMax: 100_000,
  peersPerScopeMax: 100_000,
  quorumInitUs: 30_000_000,
  quorumEchoUs: 30_000_000,
  childrenPerScopeMax: 1_000,
  treeOutboxMax: 100_000,
  treeFlushUs: 1_000,
  treeReportMax: 1_000,
  treeNewsUs: 1_000_000,
  treeAsksMax: 10_000,
  reasonBytesMax: 4_096,
  topicsPerScopeMax: 10_000,
  messageBytesMax: 512 * 1024,
  topicBytesPerScopeMax: 64 * 1024 * 1024,
  togetherLeadUsMax: 10_000_000,
  eventsPerScopeMax: 100_000,
  eventArgsBytesMax: 65_536,
  errorRecordsPerScopeMax: 1_000,
  startsAtOnceMax: 100_000,
  edgesMax: 10_000,
  edgeLeaseUs: 10_000_000,
  edgeLeaseUsMax: 3_600_000_000,
  warnAfterUs: 10_000_000,
  dispatchAheadUs: 500_000,
  dispatchTogetherUs: 50_000,
  eventToleranceUs: 100_000,
  completionDeadlineUs: 86_400_000_000,
  namesInReportMax: 100,
};

export const defaultProcessLimits: ProcessLimits = {
  messagesPerReadMax: 256,
  eventsPerPageMax: 1_000,
  barriersPerPageMax: 1_000,
  namesPerPageMax: 10_000,
  mailboxCommandsMax: 262_144,
  entryCommandsMax: 1_024,
  appendsInFlightMax: 8,
  linkFrameBytesMax: 16 * 1024 * 1024,
  linkQueueBytesMax: 64 * 1024 * 1024,
};

export const defaultLimits: Limits = { ...defaultCoreLimits, ...defaultProcessLimits };

export const coreLimitNames: readonly (keyof CoreLimits)[] = Object.keys(
  defaultCoreLimits,
) as (keyof CoreLimits)[];

/** Of those that decide, the ones that are no defaults. */
export function unusualLimits(limits: CoreLimits): Partial<CoreLimits> {
  const names = coreLimitNames.filter((name) => limits[name] !== defaultCoreLimits[name]);
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}

/** Log time advances by at most this much from one entry to the next (D2). */
export const logStepUsMax = 2_000_000;
/** A log with deadlines pending gets a tick this often, so that the clamp never bites (D2). */
export const tickIntervalUs = 1_000_000;
/** The largest count, or sum of counts, a barrier holds: what the oldest wire can say. */
export const barrierCountMax = 2_147_483_647;
/** The longest timeout of a wait, a hundred years: its deadline is an exact integer, too. */
export const waitTimeoutUsMax = 3_153_600_000_000_000;

/** How long is known what became of an arrival with a key, for who asks again (X2, X3). */
export const keyKeptUs = 30_000_000;
/** Of how many arrivals of a scope, that have ended, this is known; the oldest make room. */
export const keyedPerScopeMax = 16_384;
/** Characters of a key. */
export const keyLengthMax = 64;

/** Bytes (UTF-8) of the reason why a barrier ended that are kept for who comes too late (B8). */
export const closedReasonBytesMax = 256;

/** What keeping a message costs beside its bytes: many empty ones are no way around the limit. */
export const payloadOverheadBytes = 64;

/** Fills in defaults and checks that the limits fit together. @throws AssertionError if not. */
export function resolveLimits(partial: Partial<Limits> = {}): Limits {
  const limits = { ...defaultLimits, ...partial };
  const wrong = complaintOfLimits(limits);
  assert(wrong === undefined, wrong ?? "");
  assert(tickIntervalUs < logStepUsMax, "ticks must come before the clamp bites");
  return limits;
}

/** What is wrong with them, or does not fit together; undefined when nothing is. */
export function complaintOfLimits(limits: Limits): string | undefined {
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      return `limit ${name} must be a positive integer`;
    }
  }
  if (limits.entryCommandsMax > limits.mailboxCommandsMax)
    return "an entry must fit in the mailbox";
  if (limits.linkFrameBytesMax > limits.linkQueueBytesMax) {
    return "a frame must fit in the link queue";
  }
  if (limits.edgeLeaseUs > limits.edgeLeaseUsMax) {
    return "the usual lease is one that may be asked for";
  }
  if (limits.messageBytesMax + payloadOverheadBytes > limits.topicBytesPerScopeMax) {
    return "a message must fit in its scope";
  }
  return undefined;
}

/** The text for a refusal by a limit: what it is, its value, how to raise it. */
export function limitMessage(limits: Limits, name: keyof Limits): string {
  return `limit ${name} (${limits[name]}) reached; raise it with --limit ${name}=VALUE`;
}
