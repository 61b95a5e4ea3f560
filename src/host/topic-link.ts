// SPDX-License-Identifier: MIT
// How an edge of the core's process writes and reads the messages of topics (D11). A message is
// written first and then named in a `publish` command; where a topic stands comes as an effect, and
// each subscriber of the edge is read on for from where it is.
import type { PayloadRef } from "../core/command.ts";

/** A part of a topic. */
export interface TopicRead {
  readonly scope: string;
  readonly topic: string;
  /** The number of the last message that the reader has, 0 for none. */
  readonly after: number;
  /** Bytes of all messages together; one message may always come alone. */
  readonly bytesMax: number;
}

export interface TopicLink {
  /**
   * @param scope of its topic: with several logs each keeps the messages of its own
   * @throws LogError when it was not stored; then no command may name it.
   */
  write(message: Uint8Array, scope: string): Promise<PayloadRef>;
  /**
   * Forgets a message that no command names, and none will: its command was not taken. One that
   * cannot be deleted is deleted by the next start.
   */
  free(payload: PayloadRef, scope: string): void;
  /**
   * The messages behind `after`, none when there are none or the topic is gone.
   * @throws LogError (definite) when one of them is lost.
   */
  read(part: TopicRead): Promise<readonly Uint8Array[]>;
}
