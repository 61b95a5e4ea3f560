// SPDX-License-Identifier: MIT
// Who bounds what a peer leaves unread wants to be told when something of it has left, and only
// then: Node calls back for each write by a tick of its own, which costs more than the write of a
// small message does without. So only a message with which the bound may be passed asks for it.
// Before one of those nobody is behind, and whoever is behind is told when it has left.

/** The head of a WebSocket message is no longer, bytes. */
const headBytesMax = 14;
/** UTF-8 of one unit of a text is no longer, bytes. */
const unitBytesMax = 3;

/** Whether the peer may have more than `bytes` unread once it has been sent this as well. */
export function mayReach(bytes: number, unread: number, message: string | Uint8Array): boolean {
  const longest = typeof message === "string" ? message.length * unitBytesMax : message.length;
  return unread + longest + headBytesMax > bytes;
}
