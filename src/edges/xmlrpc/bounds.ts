// SPDX-License-Identifier: MIT
// Bounds of the XML-RPC door. The size of a message is the wire's (wire/xmlrpc/limits.ts).

/** Where the door is when nobody says otherwise. [EMULAB-EVENTS 7.2] */
export const defaultPort = 3069;
/** Connections open at once; for one more who has no call under way is cut, or it is. */
export const connectionsMax = 128;
/** Calls of one user under way at once, most of them waits; so that others have a place. */
export const callsPerUserMax = 96;
/** Bytes of the head of a request, over HTTPS and on standard input. */
export const headBytesMax: number = 16 * 1024;
/**
 * Paths a request may name: none, the one that clients take by themselves, and the root of the
 * installed tree, which the old scheduler asks for. [EMULAB-EVENTS 2.1 -r]
 */
export const paths: readonly string[] = ["/", "/RPC2", "/usr/testbed"];
