// SPDX-License-Identifier: MIT
// What the orchestrator says of a node that is to come.
import type { Archive } from "../../experiment/model.ts";

export interface NodePlan {
  readonly name: string;
  /** Interfaces of the node in port order; `experiment` is `""` for one without an address. */
  readonly links: readonly { readonly link: string; readonly experiment: string }[];
  /** What is unpacked there before it boots. */
  readonly archives?: readonly Archive[] | undefined;
}
