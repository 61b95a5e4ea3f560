// SPDX-License-Identifier: MIT
// What a run may ask for that is not built for nodes of other machines. Pure.
import type { Experiment } from "../../experiment/model.ts";

export interface AskedOfHosts {
  readonly experiment: Experiment;
  /** Last stage of a linktest before time 0. */
  readonly linktestLevel?: number | undefined;
  /** `own`: nodes have a network, and so links that can be tested. */
  readonly network?: "own" | "shared" | undefined;
}

/** @returns a sentence, undefined for nothing of that kind. */
export function refusalForHosts(asked: AskedOfHosts): string | undefined {
  const { experiment, linktestLevel, network } = asked;
  const { traffic = [], testground } = experiment;
  const what =
    (traffic.length > 0 && network !== "own" && "generated traffic without --nodes netns") ||
    (testground !== undefined && "a Testground plan") ||
    (linktestLevel !== undefined && network !== "own" && "a linktest without --nodes netns");
  if (!what) return undefined;
  return `the experiment has ${what}, which is not built for nodes of other machines; leave out that or --on`;
}
