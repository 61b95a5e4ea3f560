// SPDX-License-Identifier: MIT
// What a run may ask for that is not built for nodes of other machines. Pure.
import type { Experiment } from "../../experiment/model.ts";

export interface AskedOfHosts {
  readonly experiment: Experiment;
  /** Last stage of a linktest before time 0. */
  readonly linktestLevel?: number | undefined;
}

/** @returns a sentence, undefined for nothing of that kind. */
export function refusalForHosts({ experiment, linktestLevel }: AskedOfHosts): string | undefined {
  const { traffic = [], testground } = experiment;
  const what =
    (traffic.length > 0 && "generated traffic") ||
    (testground !== undefined && "a Testground plan") ||
    (linktestLevel !== undefined && "a linktest");
  if (!what) return undefined;
  return `the experiment has ${what}, which is not built for nodes of other machines; leave out that or --on`;
}
