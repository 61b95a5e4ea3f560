// SPDX-License-Identifier: MIT
// Every bound of notifications and of what is said about them, with its unit.

/** Names and values of one notification together; what a log entry and NATS carry. */
export const notificationBytesMax: number = 512 * 1024;
/** Attributes of one notification. */
export const attributesMax = 128;
/** Bytes (UTF-8) in the name of an attribute. */
export const attributeNameBytesMax = 255;
/** Bytes of one notification in its JSON form: every character may be an escape of six. */
export const notificationJsonBytesMax: number = 4 * 1024 * 1024;
/** Bytes of a subscription as an expression of the broker. [EMULAB-EVENTS 1.4] */
export const expressionBytesMax = 8_192;
/** Bytes of a key file: just under two buffers of the old library. [EMULAB-EVENTS 1.7] */
export const keyBytesMax = 16_383;
/** How far the clocks of sender and receiver may differ, delivery included. */
export const authenticationWindowUs = 60_000_000;
/** Nonces remembered by one receiver. When there are more, the window narrows. */
export const noncesMax = 131_072;
/** Subjects one subscription may become; beyond, a field is left to the receiver. */
export const subjectsPerSubscriptionMax = 64;
/** Characters of one token of a subject; the rest of a longer one is left to the receiver. */
export const subjectTokenCharsMax = 160;
