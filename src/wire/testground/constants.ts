// SPDX-License-Identifier: MIT
// Numbers and words of the Testground sync service. [TESTGROUND 1, 2]

export const defaultPort = 5050;
/** Of a message that is no request. */
export const badJsonCode = 1007;
export const badJsonReason = "failed to unmarshal JSON";
/** The old server compresses answers from this size on, bytes. */
export const deflateFromBytes = 512;
/** Clients in Go end the connection when a message is longer, in bytes. */
export const goMessageBytesMax = 32_768;
/** Values within values: the depth at which the old server's parser gives up. */
export const depthMax = 10_000;
