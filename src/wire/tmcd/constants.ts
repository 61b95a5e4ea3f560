// SPDX-License-Identifier: MIT
// Numbers of the node configuration wire. [EMULAB-TMCD 1] [EMULAB-TMCD 2]

/** Main port, TCP and UDP. */
export const mainPort = 7777;
/** Second port; used only beside the main one. */
export const alternatePort = 14_447;
/** Version of the protocol that is spoken here. */
export const protocolVersion = 34;
/** What a request without a VERSION word speaks. */
export const versionWhenAbsent = 2;
/** What a client sends in clear before it starts TLS. [EMULAB-TMCD 3] */
export const sslTag = "ISPEAKSSL_TMCDV10";
/** Bytes of a request over TCP. */
export const requestBytesMaxTcp = 16_383;
/** Bytes of a request over UDP. */
export const requestBytesMaxUdp = 2_047;
/** Bytes of a reply over UDP. */
export const replyBytesMaxUdp = 8_192;

/** Characters of the values of option words. */
export const vnodeIdCharsMax = 30;
export const privateKeyCharsMin = 16;
export const privateKeyCharsMax = 128;
/** The specification names no bound; this is that of the other key. */
export const idKeyCharsMax = 128;
/** Characters in the name of a registered service. [EMULAB-TMCD 12] */
export const serviceCharsMax = 127;
/** Characters in the name of a node state. */
export const stateCharsMax = 63;
/** What a start status is when the command could not be run at all. [EMULAB-TMCD 9] */
export const startStatusUnknown = 666;
