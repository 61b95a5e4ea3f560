// SPDX-License-Identifier: MIT
/** What a sender of events may ask for. [EMULAB-EVENTS 1.2, 3] */
export const eventLimits = {
  /** The buffers of the old clients hold 128 bytes with the NUL at the end. */
  objectNameBytesMax: 127,
  /** ARGS: the buffer of the C library on Linux; on FreeBSD it was an eighth. */
  argumentsBytesMax: 8_192,
} as const;
