// SPDX-License-Identifier: MIT
// Quorum: a barrier that a driver makes, and that is reached when so many of the peers of each
// controller have come. [GNUNET-BARRIERS 3, 5] Owns the condition and who is expected to report.
//
//   Q1. At a controller it is reached when its own part is and every sub-controller has said so.
//   Q2. Its own part: the smallest k >= 1 with k * 100 >= percent * peers have come, or `count`; a
//       host without peers asks for nobody.
//   Q3. The number of peers is read whenever the question is asked, not kept from the beginning.
//   Q4. A sub-controller is expected once, whatever it says how often.

import type { Peers } from "./peers.ts";
/** Who made it, and is told of it. */
import { PlaceState } from "./place.ts";
import type { Quorum } from "./rules.ts";

export type QuorumCreator =
  | {
      readonly kind: "driver";
      readonly edge: string;
      readonly incarnation: number;
      readonly connection: number;
      /** `explicit`: nobody goes on before the driver has answered (D9). */
      readonly echo: "automatic" | "explicit";
    }
  /** A driver that went on, and does not have to be there. */
  | { readonly kind: "gone" }
  /** The controller above, which knows it by `key`. */
  | { readonly kind: "parent"; readonly key: number };

/** How far a sub-controller is. */
export type ChildProgress = "asked" | "initialised" | "reached";

export class QuorumBarrier extends PlaceState {
  readonly kind = "quorum";
  readonly part: number = 0;
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly createdUs: number;
  quorum: Quorum;
  creator: QuorumCreator;
  /** `crossed`, at the root only: it is decided, and nobody has gone on yet. */
  status: "initialising" | "open" | "crossed" = "initialising";
  /** Whether the controller above was told that it is reached here. */
  isReported = false;
  /** How many changes the controller above has counted; what is said of it is of after them. */
  changes = 0;
  /** How many each controller below was told of, where any. */
  readonly changesBelow: Map<string, number> = new Map();
  /** The error as it was when the barrier crossed; who comes later does not change it. */
  crossedError = 0;
  readonly children: Map<string, ChildProgress> = new Map();
  /** Timer id of the limit of initialisation, 0 when all sub-controllers have answered. */
  initTimer = 0;
  /** Timer id of the limit of the driver's answer, 0 when it is not waited for. */
  echoTimer = 0;

  constructor(
    place: Pick<PlaceState, "scope" | "name" | "generation" | "createdUs">,
    quorum: Quorum,
    creator: QuorumCreator,
  ) {
    super();
    this.scope = place.scope;
    this.name = place.name;
    this.generation = place.generation;
    this.createdUs = place.createdUs;
    this.quorum = quorum;
    this.creator = creator;
  }

  /** Q2, Q3. How many have to come here; 0 where nobody has to. */
  needed(peers: Peers): number {
    const { size } = peers;
    if (this.quorum.kind === "percent") {
      if (size === 0) return 0;
      const hundredfold = this.quorum.percent * size;
      const rounded = (hundredfold - (hundredfold % 100)) / 100;
      return Math.max(1, hundredfold % 100 === 0 ? rounded : rounded + 1);
    }
    const isInTree = this.children.size > 0 || this.creator.kind === "parent";
    return isInTree && size === 0 ? 0 : this.quorum.count;
  }

  /** Q1. */
  isReached(peers: Peers): boolean {
    if (this.waiters.size < this.needed(peers)) return false;
    for (const progress of this.children.values()) if (progress !== "reached") return false;
    return true;
  }

  /** M10. Whatever it has said was of the quorum before. @returns how many changes that makes */
  countChange(child: string): number {
    const changes = (this.changesBelow.get(child) ?? 0) + 1;
    this.changesBelow.set(child, changes);
    if (this.children.get(child) === "reached") this.children.set(child, "initialised");
    return changes;
  }

  /** Sub-controllers that have not got so far, in the order in which they were asked. */
  behind(progress: "initialised" | "reached"): readonly string[] {
    const names: string[] = [];
    for (const [name, is] of this.children) {
      if (is === "asked" || (progress === "reached" && is === "initialised")) names.push(name);
    }
    return names;
  }
}
