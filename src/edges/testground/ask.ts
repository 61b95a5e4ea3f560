// SPDX-License-Identifier: MIT
// One request of one client, from when it was read until it is answered.
import type { PayloadRef } from "../../core/command.ts";
import type { NetworkTopic, Operation, RunEvent } from "../../wire/testground/index.ts";
import type { Subscription } from "../topic-feed.ts";

export interface Ask {
  /** What the client calls it. */
  readonly id: string;
  /** What the core calls it. */
  readonly connection: number;
  readonly operation: Operation;
  /** Where its key leads. */
  readonly scope: string;
  readonly name: string;
  /** Bytes of the message that it publishes, as the quota counts them; 0 for other requests. */
  readonly bytes: number;
  /** Bytes that it costs until it is answered. */
  readonly heldBytes: number;
  /** `queued`: behind a message that is being stored; `over`: answered, or cancelled. */
  state: "queued" | "asked" | "over";
  /** Where its message is; a publication waits for that. */
  payload: PayloadRef | undefined;
  subscription: Subscription | undefined;
  /** What it says of the end of an instance, if it does. */
  readonly event: RunEvent | undefined;
  /** Whose network it asks to be otherwise, if somebody here obeys that. */
  readonly network: NetworkTopic | undefined;
  /** The state that is signalled when it has been published. */
  callback: string | undefined;
}
