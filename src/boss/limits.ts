// SPDX-License-Identifier: MIT
// Every bound of the experiments database and its daemon, with its unit. Bounds on experiment files
// are in experiment/limits.ts, those of a run in core/limits.ts.
import { assert } from "../core/assert.ts";
import { fileBytesMax } from "../experiment/index.ts";

export interface BossLimits {
  /** Bytes of one line of a request; the text of an experiment file travels in it. */
  readonly requestBytesMax: number;
  /** Clients of the daemon at once. */
  readonly connectionsMax: number;
  /** Bytes of answers a client may leave unread before its connection is dropped. */
  readonly answerQueueBytesMax: number;
  /** Members of one project. */
  readonly membersMax: number;
  /** Experiments the database holds. */
  readonly experimentsMax: number;
  /** Experiments that are not swapped out, at once. */
  readonly experimentsUpMax: number;
  /** Modifications of one run that bring nodes: each may start a further sync server. */
  readonly nodeAdditionsMax: number;
  /** Rows of the virtual tables of one experiment. */
  readonly rowsMax: number;
  /** History entries kept of one experiment; the oldest goes first. */
  readonly historyEntriesMax: number;
  /** Characters of a note in the history; the rest is cut. */
  readonly noteCharactersMax: number;
  /** Barriers and names of one barrier that `status` shows; the rest is a number. */
  readonly namesShownMax: number;
  /** Bytes of progress lines kept of one run; later lines are counted and dropped. */
  readonly progressBytesMax: number;
  /** Callers that wait for states of nodes at once; as many again for states of experiments. */
  readonly waitsMax: number;
  /** Results of old runs that are removed in one sweep; the rest goes with the next. */
  readonly runsRemovedMax: number;
}

export const defaultBossLimits: BossLimits = {
  requestBytesMax: 32 * 1024 * 1024,
  connectionsMax: 64,
  answerQueueBytesMax: 64 * 1024 * 1024,
  membersMax: 10_000,
  experimentsMax: 10_000,
  experimentsUpMax: 64,
  nodeAdditionsMax: 32,
  rowsMax: 500_000,
  historyEntriesMax: 1_000,
  noteCharactersMax: 1_000,
  namesShownMax: 100,
  progressBytesMax: 256 * 1024 * 1024,
  waitsMax: 1_000,
  runsRemovedMax: 1_000,
};

/** Bytes in the path of a UNIX socket: what `sockaddr_un` holds. */
export const socketPathBytesMax = 107;
/** Bytes of output sent in one piece to a client that follows it. */
export const outputPieceBytes: number = 64 * 1024;

/** A client that has not said hello by then is dropped, milliseconds. */
export const helloMsMax = 10_000;
/** A client whose request is not complete this long after its hello is dropped, milliseconds. */
export const requestMsMax = 60_000;
/** A daemon that does not answer hello within this time is taken for dead, milliseconds. */
export const welcomeMsMax = 10_000;
/** A daemon that was started in the background answers within this time, milliseconds. */
export const daemonStartMsMax = 30_000;
/** All experiments are swapped out within this time when the daemon ends, milliseconds. */
export const shutdownMsMax = 60_000;
/** Clients of a daemon that ends get the rest of their answers within this time, milliseconds. */
export const finishMsMax = 5_000;
/** A daemon that was asked to end has ended within this time, milliseconds. */
export const stopMsMax: number = shutdownMsMax + 4 * finishMsMax;
/** How often a client looks for a daemon that is starting, milliseconds. */
export const connectAgainMs = 50;
/** How often a file that is followed is looked at, milliseconds. */
export const followMs = 200;

/** A wait may be asked to take this many seconds: what the timers of the platform hold, 23 days. */
export const waitSecondsMax = 2_000_000;
/** Names in one argument of an XML-RPC call: nodes, states, tables. Each is looked for. */
export const namesMax = 10_000;
/** How often nodes are looked through for states that last too long, milliseconds. */
export const overdueSweepMs = 10_000;
/** From the end of one sweep for old runs to the next, milliseconds. */
export const retentionSweepMs = 3_600_000;

/** A character of text takes at most this many bytes of JSON: an escaped control character. */
const jsonBytesPerCharacter = 6;

/** Fills in defaults and checks that the limits fit together. @throws AssertionError if not. */
export function resolveBossLimits(partial: Partial<BossLimits> = {}): BossLimits {
  const limits = { ...defaultBossLimits, ...partial };
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  assert(limits.experimentsUpMax <= limits.experimentsMax, "what is up is in the database");
  return limits;
}

assert(
  fileBytesMax * jsonBytesPerCharacter < defaultBossLimits.requestBytesMax,
  "the longest experiment file fits into a request",
);

/** For ops to start or stop a scheduler, waits for its lock and for farewells included. */
export const opsAnswerMsMax: number = 180_000;
/** The last of what ops has said about it. */
export const opsOutputBytesMax: number = 16_384;
/** A linktest at swap-in is ended after so long, seconds. [LINKTEST 10] */
export const swapInLinktestSeconds = 600;
/** Beyond its own time a linktest from boss has so long to say how it ended, milliseconds. */
export const linktestExtraMs: number = 30_000;
/** From its TERM to its KILL, seconds: run_linktest waits 10 s for the end of the probes. */
export const linktestGraceSeconds = 12;
/** Of what a linktest at swap-in prints, for the warning about it. */
export const linktestOutputBytesMax: number = 65_536;
