// SPDX-License-Identifier: MIT
// Numbers of the Emulab sync wire. [EMULAB-SYNC 1] [EMULAB-SYNC 2]

/** Default port, TCP and UDP. */
export const defaultPort = 16_534;
/** Bytes of the name field, its NUL included. */
export const nameFieldBytes = 64;
/** Bytes a name can have. */
export const nameBytesMax: number = nameFieldBytes - 1;
/** Size of a request of version 1 (2003): name, request word, count. */
export const requestBytesV1 = 72;
/** Size of a request of version 2 (from 2004): version 1 and the error. */
export const requestBytesV2 = 76;
export const replyBytes = 4;

export const requestOffset = 64;
export const flagsOffset = 66;
export const countOffset = 68;
export const errorOffset = 72;

export const requestInit = 1;
export const requestWait = 2;
/**
 * Muster's extension: tells the state of the barrier named, changes nothing. A server of old closes
 * the connection without an answer, as it does for any word it does not know. The two bytes differ,
 * so the byte order shows in this word, too.
 */
export const requestDescribe = 0x4d51;

/**
 * Muster's extension, UDP only: the request with the same bytes but for this word is taken back.
 * Its sender stops waiting; over TCP it would close the connection.
 */
export const requestLeave = 0x4d4c;

/** Bit 0 of the flags: the initialiser does not wait. */
export const flagNoWait = 1;

/** Largest error a client may bring. */
export const clientErrorMax = 239;
/** What every waiter is told when the barriers are cleared by signal. */
export const errorCleared = 240;
/** What a client of version 1 is told; it looks at the end of file only. */
export const releasedV1 = 1;

/** Bytes of JSON in the answer to a describe request. */
export const describeBytesMax: number = 1024 * 1024;
