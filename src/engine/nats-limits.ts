// SPDX-License-Identifier: MIT
// Bounds of what Muster does with NATS, with their units. They are not options: replicas that cut
// entries differently would agree all the same, but a server that takes larger messages than
// another could write what the other's broker refuses.

/** Bytes (UTF-8) of one message of a log: larger entries are cut between commands (D4). */
export const natsEntryBytesMax: number = 16 * 1024;
/** Bytes (UTF-8) of one command; it travels alone when it is larger than an entry (D4). */
export const natsCommandBytesMax: number = 512 * 1024;
/** Bytes of one message of a snapshot. */
export const natsPieceBytesMax: number = 512 * 1024;
/** What headers and the frame around a single command add at most, bytes. */
export const natsOverheadBytesMax: number = 16 * 1024;
/** Messages of one server that NATS has not acknowledged (D4). */
export const natsInFlightMax = 8;
/** Bytes of appends that wait behind those; beyond it an append is refused. */
export const natsWaitingBytesMax: number = 64 * 1024 * 1024;
/** An acknowledgement that has not come by then counts as lost, milliseconds. */
export const natsAckMs = 5_000;
/** Within this time a server must be reached at the start, milliseconds. */
export const natsConnectMs = 5_000;
/** For so long a stream without a leader is asked again at the start, milliseconds. */
export const natsOpenMs = 20_000;
/** Pause before it is asked again, milliseconds. */
export const natsOpenPauseMs = 200;
/** Pause between attempts to reach a server that is gone, milliseconds. */
export const natsReconnectMs = 100;
/** A broker that says nothing is asked this often, milliseconds, and is gone after two silences. */
export const natsPingMs = 2_000;
/** A reader hears from its stream at least this often, milliseconds. */
export const natsHeartbeatMs = 1_000;
/** A reader that hears nothing for this long reads anew, milliseconds. */
export const natsSilenceMs = 3_000;
/** Brokers that hear nothing of their leader choose another after this time at the earliest. */
export const natsChoiceMs = 4_000;
/**
 * What comes after so long a silence, milliseconds, may come from a leader that is none any more:
 * well below `natsChoiceMs`.
 */
export const natsStaleMs = 2_500;
/** Entries of a log that are compared with the stream after brokers were in trouble. */
export const natsRecheckEntries = 64;
/** How long after it has ended, milliseconds. */
export const natsRecheckMs: readonly number[] = [1_000, 4_000, 12_000];
/** Stamps of entries that a reader remembers for that. */
export const natsStampsKept = 8_192;
/** A reader waits so long for copies of the stream that are behind, milliseconds. */
export const natsSettleMs = 5_000;
/** A broker drops a reader that has been gone for this long, milliseconds. */
export const natsReaderKeptMs = 30_000;
/** Deletions of topics' messages on their way at once. */
export const natsDeletionsMax = 64;
/** A message of a topic that no entry names is left alone until it is this old, milliseconds. */
export const natsUnnamedKeptMs = 600_000;
/** Bytes of a stream that a backup takes or gives at a time. */
export const natsBackupChunkBytes: number = 128 * 1024;
/**
 * A broker that is silent for this long while a stream is saved or restored has failed,
 * milliseconds.
 */
export const natsBackupSilenceMs = 10_000;
/** The oldest broker whose JetStream has what is used. */
export const natsVersionMin = "2.9.0";
/**
 * Before it a broker that is started again purges a stream with several copies whole when it finds
 * in its raft log that the stream was purged up to a message: such a log is not cut (J4).
 */
export const natsCutVersionMin = "2.9.18";
