// SPDX-License-Identifier: MIT
// What the naive models say, and to whom.
import type { EdgeEffect } from "../core/effect.ts";

export interface NaiveRefused {
  readonly kind: "refused";
  readonly connection: number;
  readonly code: string;
}

/** What a model says; the same words as the core's effects, without the texts of refusals. */
export interface NaiveSaid {
  readonly edge: string;
  readonly incarnation: number;
  readonly effect: Exclude<EdgeEffect, { kind: "refused" }> | NaiveRefused;
}

/** Somebody who speaks: an edge in one of its lives. */
export interface Speaker {
  readonly edge: string;
  readonly life: number;
}
