// SPDX-License-Identifier: MIT
// What controllers say to each other about quorums (D9). `key` is the generation of the barrier at
// the controller above: both sides call it by that, so that what is said of a barrier that is gone
// is not taken for its next generation.
import type { Quorum } from "./rules.ts";

interface About {
  readonly barrier: string;
  readonly key: number;
}

/** How a barrier ended for all that are below, when it did not cross. */
interface Ended extends About {
  readonly outcome: "failed" | "cancelled" | "timeout";
  readonly error: number;
  readonly reason: string;
  /** Where it happened; empty when the controller has no name. */
  readonly controller: string;
}

/** From the controller above. */
export type DownMessage =
  | (About & { readonly kind: "init"; readonly quorum: Quorum })
  | (About & { readonly kind: "change"; readonly quorum: Quorum })
  | (About & { readonly kind: "released"; readonly error: number })
  | (Ended & { readonly kind: "ended" });

/** From a controller below. */
export type UpMessage =
  | (About & { readonly kind: "initialised" })
  | (About & { readonly kind: "reached"; readonly error: number })
  | (About & { readonly kind: "unreached" })
  | (Ended & { readonly kind: "failed" });

export type TreeMessage = DownMessage | UpMessage;
