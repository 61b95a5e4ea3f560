// SPDX-License-Identifier: MIT
// Bounds and times of a bus on NATS, with their units, besides those of every bus (bus-limits.ts)
// and of the connection (nats-limits.ts). Constants: servers of one bus should agree.

/** Subjects that one server listens to; beyond, a subscription listens to its experiment whole. */
export const natsSubjectsMax = 65_536;
/** Bytes of publications that NATS has not acknowledged, or that wait for the connection. */
export const natsPublishingBytesMax: number = 64 * 1024 * 1024;
/** Bytes that the subject and the headers of a message may take beside the notification. */
export const natsMessageHeadBytesMax: number = 4 * 1024;
/** Notifications that one request reads from the stream. */
export const natsReadBatchMax = 128;
/** Subscribers of one server that read the stream at once; the others wait for their turn. */
export const natsReplaysMax = 32;
/**
 * How often a server asks where the stream stands, milliseconds. A broken route between brokers
 * lasts a second at least (they redial no sooner), so that none falls between two questions.
 */
export const natsStandMs = 250;
/** A question about the stream that has no answer by then has failed, milliseconds. */
export const natsStandAnswerMs = 2_000;
/** Pause before something is tried again that failed because the stream has no leader. */
export const natsBusRetryMs = 100;
/** How long the servers of a bus may take to say whether anybody there hears a notification. */
export const natsHeardMs = 250;
/** Nobody listens only when this has been said twice, so long apart, milliseconds. */
export const natsUnheardPauseMs = 10;
/** Bytes of one message of a link between controllers; more becomes several. */
export const natsChannelBytesMax: number = 256 * 1024;
