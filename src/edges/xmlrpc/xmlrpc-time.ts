// SPDX-License-Identifier: MIT
// The closed list of times that the XML-RPC door keeps itself, milliseconds. How long a method may
// take is not among them: a caller that waits for a state says how long.

/**
 * A connection that has not finished its handshake by then is closed; a request whose head is not
 * there by then is refused.
 */
export const headMsMax = 10_000;
/** A request that is not there as a whole by then is refused. */
export const requestMsMax = 60_000;
/** A connection without a request is closed after this. */
export const idleMsMax = 30_000;
/** How often connections are looked through for the times above. */
export const sweepMs = 5_000;
